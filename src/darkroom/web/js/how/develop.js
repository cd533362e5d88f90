/** One image, developed on the press of a button: its film from noise to picture, and the decoder's work. */
import { api } from "../api.js";
import { useComparison } from "../compare/live.js";
import { CompareSlider } from "../parts/compare_slider.js";
import { html, useEffect, useId, useState } from "../preact.js";
import { href } from "../router.js";
import { progress } from "../state.js";
import { counted } from "../words.js";
import { about, forget, MODEL, said, start, useSeconds } from "./runs.js";

const SEED = 3;
const STEPS = 20;

/** The job of this part, its image, and the frames that there are by now. */
export function useDeveloped() {
  const { id } = said.value.jobs.develop ?? {};
  const { job, images, error } = useComparison(id ?? null);
  useEffect(() => { if (error?.status === 404) forget("develop"); }, [error]);
  const image = images.get(0) ?? null;
  const now = id ? progress.value.get(id) : null;
  return { job: id ? job : null, image, now };
}

const body = () => ({ request: { model: MODEL, prompt: said.value.prompt, seed: SEED, steps: STEPS } });

export function Develop({ model, found }) {
  const { job, image, now } = found;
  const seconds = useSeconds(body());
  const busy = job && ["waiting", "running"].includes(job.state);
  const stale = said.value.jobs.develop && said.value.jobs.develop.prompt !== said.value.prompt;
  return html`<div class="how-figure">
    <${Frames} image=${image} now=${now} job=${job} />
    <div class="row wrap how-run">
      <button class="button main" disabled=${busy} onClick=${() => start("develop", body())}>${image ? "Develop it again" : "Develop one image"}</button>
      <span class="muted small" role="status">${busy ? (now ? `Step ${now.step} of ${now.steps}` : "Waits for the model") : `${counted(STEPS, "step")}${seconds ? `, ${about(seconds)}` : ""}, seed ${SEED}`}
        ${stale && !busy && " · the prompt has changed since"}</span>
    </div>
    ${job?.error && html`<div class="notice" role="alert"><b>${job.error.message}</b><span class="hint">${job.error.hint}</span></div>`}
    ${model && html`<p class="muted small">For Mini a latent is ${model.native_width / model.factor} × ${model.native_height / model.factor} places of ${model.latent_channels} numbers;
      the picture that is made of it has ${model.native_width} × ${model.native_height} points of 3. A large model's latent: 64 × 64 places for 512 × 512 points.</p>`}
  </div>`;
}

/** What is seen at each step; the last is the picture. */
function Frames({ image, now, job }) {
  const id = useId();
  const [step, setStep] = useState(null);
  useEffect(() => setStep(null), [job?.id]);
  const last = image ? image.steps : now?.step ?? 0;
  const many = image ? image.steps : now?.steps ?? STEPS;
  const shown = Math.min(step ?? last, last);
  const frame = (at) => (image ? api.filmUrl(image.id, at) : now?.frames[at - 1]);
  const source = image && (step === null || shown >= last) ? api.fileUrl(image.id) : shown > 0 ? frame(shown) : null;
  const every = Math.max(1, Math.ceil(many / 10));
  const places = Array.from({ length: many }, (_, at) => at + 1).filter((at) => at % every === 0 || at === 1 || at === many);
  return html`<div class="how-film">
    <div class="how-screen">${source ? html`<img src=${source} alt=${image && shown >= last ? `Finished: ${image.prompt}` : `What is seen after step ${shown} of ${many}`} />` : html`<div class="how-dark" aria-hidden="true"></div>`}</div>
    <div class="reel-strip how-strip">
      ${places.map((at) => html`<span key=${at} class="reel-frame" data-now=${at === shown} aria-hidden="true">${at <= last && frame(at) && html`<img src=${frame(at)} alt="" draggable=${false} />`}</span>`)}
      <input id=${id} type="range" class="reel-range" aria-label="Step" min="1" max=${Math.max(1, last)} value=${Math.max(1, shown)} disabled=${last < 2}
        aria-valuetext=${`Step ${shown} of ${many}`} onInput=${(event) => setStep(Number(event.target.value))} />
    </div>
    <p class="muted small">${last ? `Step ${shown} of ${many}${image ? ": drag to look at each" : ""}` : "Noise becomes a picture here, step by step."}</p>
  </div>`;
}

/** The last latent beside the picture that the decoder made of it. */
export function Decoded({ found: { image } }) {
  if (!image || !(image.steps > 1)) return html`<div class="how-figure how-later muted">Develop an image above; then the two stand here over each other.</div>`;
  return html`<div class="how-figure">
    <div class="how-versus" style=${{ "--ratio": image.width / image.height }}><${CompareSlider} before=${api.filmUrl(image.id, image.steps)} after=${api.fileUrl(image.id)} labels=${["latent, as colours", "decoded"]} /></div>
    <p class="small"><a href=${href("image", image.id)}>Its whole recipe</a></p>
  </div>`;
}
