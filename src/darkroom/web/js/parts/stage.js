/** The middle of Create: the image, or what stands in its place, and the film under it. */
import { cancelJob, retryJob, skipImage } from "../queueing.js";
import { api } from "../api.js";
import { html, useEffect, useRef } from "../preact.js";
import { href } from "../router.js";
import { compared, followed, frame, run, view } from "../running.js";
import { pictured, progress, running, status, waiting } from "../state.js";
import { counted, left, modelTitle, shortened } from "../words.js";
import { modelName, say } from "../wish.js";
import { CompareSlider } from "./compare_slider.js";
import { Film } from "./film.js";
import { Icon } from "./icons.js";
import { Picture } from "./picture.js";
import { ImageActions } from "./image_actions.js";

export function Stage() {
  const now = view.value;
  return html`<section class="stage" aria-label="Image">
    <div class="stage-place">
      ${now.kind === "image" && html`<${Finished} key=${now.image.id} image=${now.image} />`}
      ${now.kind === "live" && html`<${Live} job=${now.job} />`}
      ${now.kind === "loading" && html`<${Loading} job=${now.job} />`}
      ${now.kind === "waiting" && html`<${Waiting} job=${now.job} />`}
      ${now.kind === "failed" && html`<${Failed} job=${now.job} />`}
      ${now.kind === "cancelled" && html`<${Cancelled} job=${now.job} />`}
      ${now.kind === "empty" && html`<${Empty} />`}
    </div>
    <div class="stage-film"><${Strip} now=${now} /></div>
    <${Announcer} />
  </section>`;
}

/** A box of the image's proportions, as large as the place allows; nothing moves when it arrives. */
const Box = ({ width, height, label, children }) => html`<figure class="picture" aria-label=${label} style=${{ "--ratio": width / height, "--most": `${Math.max(560, 2 * width)}px` }}>${children}</figure>`;

function Finished({ image }) {
  const other = compared.value;
  const step = frame.value;
  const text = image.prompt || image.task;
  if (other) {
    return html`<${Box} ...${image} label=${`Compared: ${text}`}>
      <${CompareSlider} before=${api.fileUrl(other.image.id)} after=${api.fileUrl(image.id)} labels=${[other.label, "This"]} />
      <div class="tools shown"><span class="tool-note">Click a recent image to compare with it</span><button class="tool" onClick=${() => { compared.value = null; }}>Done</button></div>
    <//>`;
  }
  return html`<${Box} ...${image} label=${text}>
    <img src=${image.thumbnail} alt="" class="under" />
    <${Picture} src=${step === null ? api.fileUrl(image.id) : api.filmUrl(image.id, step)} alt=${text} class="over" />
    ${image.favourite && html`<span class="picture-star" title="Favourite"><${Icon} name="star" filled /></span>`}
    <${ImageActions} image=${image} class="tools" />
  <//>`;
}

function Live({ job }) {
  const now = progress.value.get(job.id);
  const [asked] = job.requests;
  const size = sizeOf(asked);
  const at = frame.value ?? now.step;
  const source = now.frames[at - 1] ?? now.frames.findLast(Boolean);
  const together = Array.from({ length: now.images ?? 1 }, (_, other) => now.index + other);
  return html`<${Box} ...${size} label=${`Running: ${job.title}`}>
    <div class="blank"></div>
    ${source && (together.length > 1
      ? html`<div class="together" style=${{ "--across": Math.ceil(Math.sqrt(together.length)) }}>
          ${together.map((index) => html`<${Picture} key=${index} src=${pictured(source, at, index)} alt=${`What image ${index + 1} looks like so far`} />`)}</div>`
      : html`<${Picture} src=${source} alt="What it looks like so far" class="over" />`)}
    <div class="tools shown">
      <span class="tool-note">${job.images > 1 ? `${together.length > 1 ? `Images ${now.index + 1} to ${now.index + together.length}` : `Image ${now.index + 1}`} of ${job.images} · ` : ""}${left(now.seconds_left)}</span>
      ${job.images > 1 && html`<button class="tool" onClick=${() => skipImage(job)}>Skip</button>`}
      <button class="tool" onClick=${() => cancelJob(job)}>Cancel</button>
    </div>
    <span class="picture-progress" aria-hidden="true"><i style=${{ width: `${(now.step / now.steps) * 100}%` }}></i></span>
  <//>`;
}

/** Width and height that a wish asks for, or the model's own. */
function sizeOf(request) {
  const { width, height } = request ?? {};
  return { width: width ?? height ?? 1, height: height ?? width ?? 1 };
}

const Place = ({ icon, title: heading, text, hint, busy, children }) => html`<div class=${busy ? "stage-note busy" : "stage-note"}>
  ${icon && html`<${Icon} name=${icon} />`}<h2>${heading}</h2>${text && html`<p>${text}</p>`}${hint && html`<p class="muted">${hint}</p>`}
  <div class="row wrap">${children}</div>
</div>`;

function Loading({ job }) {
  const loading = status.value?.devices.some(({ state }) => state === "loading" || state === "starting");
  const name = modelTitle(job.requests[0]?.model ?? "mini");
  return html`<${Place} busy title=${loading ? `Loading ${name}` : "About to begin"} text=${shortened(job.title, 120)}>
    <span class="bar accent endless" role="progressbar" aria-label=${`Loading ${name}`}><i></i></span>
    <button class="button small" onClick=${() => cancelJob(job)}>Cancel</button>
  <//>`;
}

function Waiting({ job }) {
  const before = running.value.length + waiting.value.findIndex((other) => other.id === job.id);
  const paused = status.value?.queue.paused;
  const text = paused ? "The queue is paused." : before > 0 ? `${counted(before, "job")} before it.` : "It is next.";
  return html`<${Place} title="Waiting" text=${text} hint=${shortened(job.title, 120)}>
    <button class="button small" onClick=${() => cancelJob(job)}>Cancel</button>
  <//>`;
}

function Failed({ job }) {
  const { message, hint } = job.error ?? { message: "It failed.", hint: "" };
  return html`<${Place} icon="warning" title=${message} hint=${hint}>
    <button class="button main" onClick=${() => retryJob(job)}>Try again</button>
    <button class="quiet" onClick=${() => { followed.value = null; }}>Dismiss</button>
  <//>`;
}

const Cancelled = ({ job }) => html`<${Place} title="Cancelled" text=${shortened(job.title, 120)}>
  <button class="button" onClick=${() => retryJob(job)}>Run it again</button>
  <button class="quiet" onClick=${() => { followed.value = null; }}>Dismiss</button>
<//>`;

const PROMPTS = ["a fox on a blue background", "a rocket on a yellow background", "an octopus on a green background"];

function Empty() {
  if (!status.value) return null;
  const tryIt = (prompt) => {
    say({ task: "txt2img", prompt, model: "mini" });
    run();
  };
  return html`<${Place} title="Mini is ready" text="A small model that came with Darkroom. Nothing leaves this computer." hint=${modelName.value === "mini" ? null : `${modelName.value} is ready too.`}>
    ${PROMPTS.map((prompt) => html`<button class="button" key=${prompt} onClick=${() => tryIt(prompt)}>${prompt}</button>`)}
    <a class="quiet stage-how" href=${href("how")}>How it works</a>
  <//>`;
}

/** The film of what is on the stage; its room stays where there is none. */
function Strip({ now }) {
  if (now.kind === "live") {
    const { step, steps, frames, seconds_left: remaining } = progress.value.get(now.job.id);
    const at = frame.value ?? step;
    return html`<${Film} steps=${steps} done=${step} last=${null} address=${(number) => frames[number - 1] ?? null} label=${`Step ${at} of ${steps}`} note=${left(remaining)} />`;
  }
  if (now.kind !== "image" || !now.image.steps) return null;
  const { image } = now;
  const label = `Step ${frame.value ?? image.steps} of ${image.steps}, seed ${image.seed}`;
  return html`<${Film} steps=${image.steps} done=${image.steps} last=${image.thumbnail} address=${(step) => api.filmUrl(image.id, step)} label=${label} note="drag to see each step" />`;
}

/** Says, for those who do not see it, how far it is: at each quarter, and how it ended. */
function Announcer() {
  const said = useRef("");
  const box = useRef(null);
  const now = view.value;
  let text = "";
  if (now.kind === "live") {
    const { step, steps, index } = progress.value.get(now.job.id);
    const quarter = Math.floor((4 * step) / steps) * 25;
    text = quarter > 0 ? `Image ${index + 1} of ${now.job.images}: ${quarter} percent` : `Image ${index + 1} of ${now.job.images} begins`;
  } else if (now.kind === "failed") text = `Failed. ${now.job.error?.message ?? ""} ${now.job.error?.hint ?? ""}`;
  else if (now.kind === "image") text = `Image: ${now.image.prompt || now.image.task}`;
  else text = { loading: "Loading the model", waiting: "Waiting in the queue", cancelled: "Cancelled" }[now.kind] ?? "";
  useEffect(() => {
    if (text === said.current) return;
    said.current = text;
    box.current.textContent = text;
  });
  return html`<div class="unseen" role="status" aria-live="polite" ref=${box}></div>`;
}
