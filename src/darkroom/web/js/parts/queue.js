/** The queue: what runs, what waits and in which order, what failed and why. */
import { api } from "../api.js";
import { cancelJob, clearStopped, clearWaiting, forgetJob, moveBy, moveJob, pauseQueue, retryJob } from "../queueing.js";
import { html, signal } from "../preact.js";
import { followed, show } from "../running.js";
import { progress, running, status, stopped, waiting } from "../state.js";
import { counted, duration, left, shortened } from "../words.js";
import { Icon } from "./icons.js";
import { Picture } from "./picture.js";

const SHOWN = 20;
/** The waiting job that is being dragged, and the one above which it would land. */
const dragged = signal(null);
const over = signal(null);

export function Queue() {
  const paused = status.value?.queue.paused ?? false;
  const more = Math.max(waiting.value.length, status.value?.queue.waiting ?? 0) - Math.min(SHOWN, waiting.value.length);
  const none = !running.value.length && !waiting.value.length && !stopped.value.length;
  return html`<section class="queue" aria-label="Queue">
    <div class="spread aside-head"><h2>Queue</h2>
      <span class="row">
        ${waiting.value.length > 1 && html`<button class="quiet" title="Cancel all that waits" onClick=${clearWaiting}>Clear</button>`}
        ${waiting.value.length < 2 && stopped.value.length > 1 && html`<button class="quiet" title="Forget what failed or was cancelled" onClick=${clearStopped}>Tidy up</button>`}
        <button class="quiet" aria-pressed=${paused} onClick=${() => pauseQueue(!paused)}>${paused ? "Resume" : "Pause"}</button>
      </span></div>
    ${paused && html`<p class="notice">Paused: what waits stays where it is.</p>`}
    ${none && !paused && html`<p class="muted small">Nothing waits.</p>`}
    <ul class="jobs">
      ${running.value.map((job) => html`<${Running} key=${job.id} job=${job} />`)}
      ${waiting.value.slice(0, SHOWN).map((job) => html`<${Waiting} key=${job.id} job=${job} />`)}
      ${more > 0 && html`<li class="muted small">and ${counted(more, "more job")}</li>`}
      ${stopped.value.map((job) => html`<${Stopped} key=${job.id} job=${job} />`)}
    </ul>
  </section>`;
}

const titled = (job) => shortened(job.title || job.task, 80);

function Thumb({ job, source }) {
  const input = job.requests[0]?.image;
  const from = source ?? (input ? api.uploadUrl(input, 96) : null);
  return html`<span class="job-thumb">${from && html`<${Picture} src=${from} alt="" width="40" height="40" />`}</span>`;
}

function Running({ job }) {
  const now = progress.value.get(job.id);
  const share = now ? now.fraction : 0;
  const look = () => { followed.value = job.id; show(null); };
  return html`<li class="job card">
    <${Thumb} job=${job} source=${now?.frames.findLast(Boolean)} />
    <button class="job-text" onClick=${look} title=${job.title}><span class="cut" dir="auto">${titled(job)}</span>
      <span class="cut muted small">${now ? `step ${now.step} of ${now.steps} · ${left(now.seconds_left)}` : "begins"}</span></button>
    <${Ring} share=${share} />
    <button class="icon-button job-end" aria-label=${`Cancel ${titled(job)}`} onClick=${() => cancelJob(job)}><${Icon} name="close" /></button>
  </li>`;
}

const ROUND = 2 * Math.PI * 13;

const Ring = ({ share }) => html`<svg class="ring" viewBox="0 0 32 32" role="img" aria-label=${`${Math.round(share * 100)} percent`}>
  <circle cx="16" cy="16" r="13" /><circle class="ring-done" cx="16" cy="16" r="13" stroke-dasharray=${`${share * ROUND} ${ROUND}`} transform="rotate(-90 16 16)" />
  <text x="16" y="19.5" text-anchor="middle">${Math.round(share * 100)}</text>
</svg>`;

function Waiting({ job }) {
  const onKeyDown = (event) => {
    const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    moveBy(job, way);
  };
  const drop = (event) => {
    event.preventDefault();
    if (dragged.value && dragged.value.id !== job.id) moveJob(dragged.value, job.id);
    dragged.value = over.value = null;
  };
  const onDragOver = (event) => {
    if (!dragged.value) return;
    event.preventDefault();
    over.value = job.id;
  };
  const wait = job.seconds_left === null || job.seconds_left === undefined ? "waits" : `waits · ${duration(job.seconds_left)}`;
  return html`<li class=${over.value === job.id ? "job card over" : "job card"} draggable onDragStart=${() => { dragged.value = job; }} onDragEnd=${() => { dragged.value = over.value = null; }} onDragOver=${onDragOver} onDrop=${drop}>
    <${Thumb} job=${job} />
    <button class="job-text" title=${job.title} onClick=${() => { followed.value = job.id; show(null); }}><span class="cut" dir="auto">${titled(job)}</span>
      <span class="cut muted small">${wait}${job.images > 1 ? ` · ${counted(job.images, "image")}` : ""}</span></button>
    <button class="icon-button" aria-label=${`Cancel ${titled(job)}`} onClick=${() => cancelJob(job)}><${Icon} name="close" /></button>
    <button class="icon-button grip" aria-label=${`Move ${titled(job)}: arrow keys`} title="Drag, or press the arrow keys" onKeyDown=${onKeyDown}><${Icon} name="grip" /></button>
  </li>`;
}

function Stopped({ job }) {
  const failed = job.state === "failed";
  return html`<li class="job card stopped">
    <div class="job-text"><span class="cut" dir="auto">${titled(job)}</span>
      ${failed ? html`<span class="small"><b>${job.error?.message ?? "It failed."}</b> <span class="muted">${job.error?.hint}</span></span>`
        : html`<span class="muted small">cancelled${job.images_done ? ` after ${counted(job.images_done, "image")}` : ""}</span>`}
      <button class="button small" onClick=${() => retryJob(job)}>${failed ? "Try again" : "Run again"}</button></div>
    <button class="icon-button" aria-label=${`Forget ${titled(job)}`} onClick=${() => forgetJob(job)}><${Icon} name="close" /></button>
  </li>`;
}
