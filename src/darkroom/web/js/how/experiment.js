/** One thing varied and all else equal: a row of small real images, made on the press of a button. */
import { api } from "../api.js";
import { useComparison } from "../compare/live.js";
import { Place } from "../compare/table.js";
import { toastError } from "../parts/toast.js";
import { html, useEffect } from "../preact.js";
import { progress } from "../state.js";
import { counted } from "../words.js";
import { about, forget, said, start, useSeconds } from "./runs.js";

/**
 * @param {{name: string, request: object, axis: {field: string, values: unknown[], labels: string[]}}} props
 *   `name`: of the part of the page
 */
export function Experiment({ name, request, axis }) {
  const body = { request, grid: { axes: [axis] } };
  const seconds = useSeconds(body);
  const { id } = said.value.jobs[name] ?? {};
  const { job, images, error } = useComparison(id ?? null);
  useEffect(() => { if (error?.status === 404) forget(name); }, [error]);
  const state = id ? job?.state ?? "waiting" : "planned";
  const busy = state === "waiting" || state === "running";
  const step = state === "running" ? progress.value.get(id) : null;
  const stale = id && said.value.jobs[name].prompt !== said.value.prompt && request.prompt === said.value.prompt;
  const many = axis.values.length;
  return html`<div class="how-figure">
    <ol class="how-row" style=${{ "--many": many }}>${axis.labels.map((label, at) => html`<li key=${label}>
      <${Place} image=${images.get(at)} step=${step?.index === at && step} state=${state} label=${label} />
      <span class="small">${label}</span>
    </li>`)}</ol>
    <div class="row wrap how-run">
      ${busy ? html`<button class="button" onClick=${() => api.cancel(id).catch(toastError)}>Cancel</button>`
        : html`<button class="button" onClick=${() => start(name, body)}>${id ? "Make them again" : `Make these ${many}`}</button>`}
      <span class="muted small" role="status">${busy ? `${job?.images_done ?? 0} of ${counted(many, "image")}` : seconds ? about(seconds) : ""}${stale && !busy ? " · the prompt has changed since" : ""}</span>
    </div>
    ${job?.error && html`<div class="notice" role="alert"><b>${job.error.message}</b><span class="hint">${job.error.hint}</span></div>`}
  </div>`;
}
