/** A table that is being made, or was: shown as it grows, and to be kept as one image or as its parts. */
import { api } from "../api.js";
import { download } from "../gallery/deeds.js";
import { Icon } from "../parts/icons.js";
import { toastError } from "../parts/toast.js";
import { html } from "../preact.js";
import { go, href } from "../router.js";
import { progress } from "../state.js";
import { counted, duration } from "../words.js";
import { useComparison } from "./live.js";
import { Place, Table } from "./table.js";

export function Finished({ id }) {
  const { job, images, error, again } = useComparison(id);
  if (error) {
    return html`<div class="compare-empty" role="alert"><h2>${error.status === 404 ? "This table is not here any more" : "The table could not be loaded"}</h2>
      <p class="muted">${error.status === 404 ? "Its images are still in the gallery." : `${error.message} ${error.hint}`}</p>
      ${error.status === 404 ? html`<a class="button" href=${href("compare")}>New table</a>` : html`<button class="button" onClick=${again}>Try again</button>`}</div>`;
  }
  if (!job) return html`<div class="compare-empty" aria-busy="true"></div>`;
  if (!job.grid) return html`<div class="compare-empty"><p class="muted">This job has no table.</p><a class="button" href=${href("compare")}>New table</a></div>`;
  const step = job.state === "running" ? progress.value.get(id) : null;
  const first = [...images.values()].find((image) => !image.sheet);
  const cell = (index, label) => html`<${Place} key=${index} image=${images.get(index)} label=${label} state=${job.state} step=${step?.index === index && step} />`;
  return html`<${Head} job=${job} step=${step} images=${images} />
    <${Table} axes=${job.grid.axes} caption=${`Table: ${job.title}`} cell=${cell} shape=${first ? first.width / first.height : 1} />`;
}

function Head({ job, step, images }) {
  const act = (ask) => () => ask(job.id).catch(toastError);
  const ids = [...images.values()].filter((image) => image.id !== job.sheet).map((image) => image.id);
  return html`<div class="compare-head">
    <h2 class="cut">${job.title || "Table"}</h2>
    <${Said} job=${job} step=${step} />
    <span class="row wrap compare-deeds">
      ${["waiting", "running"].includes(job.state) && html`<button class="button small" onClick=${act(api.cancel)}>Cancel</button>`}
      ${["failed", "cancelled"].includes(job.state) && html`<button class="button small" onClick=${act(api.retry)}><${Icon} name="again" /> Go on</button>`}
      ${job.sheet && html`<a class="button small" href=${href("image", job.sheet)}>Open as one image</a>
        <a class="button small" href=${api.fileUrl(job.sheet, true)} download><${Icon} name="save" /> Table</a>`}
      ${ids.length > 0 && job.state !== "running" && html`<button class="button small" onClick=${() => download(ids)}><${Icon} name="save" /> Parts</button>`}
      <button class="button small" onClick=${() => go("compare")}><${Icon} name="plus" /> New table</button>
    </span>
    ${job.state === "running" && html`<div class="bar accent compare-progress" role="progressbar" aria-label="Progress of the table" aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${Math.round(100 * (step?.fraction ?? job.images_done / job.images))}><i style=${{ width: `${100 * (step?.fraction ?? job.images_done / job.images)}%` }}></i></div>`}
  </div>`;
}

/** Where the job stands, in a sentence. */
function Said({ job, step }) {
  if (job.error) return html`<div class="notice" role="alert"><b>${job.error.message}</b><span class="hint">${job.error.hint}</span></div>`;
  const left = duration(step?.seconds_left ?? job.seconds_left);
  const said = {
    waiting: job.position > 1 ? `Waits behind ${counted(job.position - 1, "other job")}.` : "Waits for the model.",
    running: `${job.images_done} of ${counted(job.images, "image")}${left ? `, ${left} left` : ""}`,
    done: counted(job.images_done, "image"),
    cancelled: `Cancelled after ${job.images_done} of ${counted(job.images, "image")}.`,
    failed: "Failed.",
  }[job.state];
  return html`<span class="muted" role="status">${said}</span>`;
}
