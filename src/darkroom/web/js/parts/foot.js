/** The plan and the one big button. */
import { online } from "../api.js";
import { html } from "../preact.js";
import { lacking, planning } from "../plan.js";
import { pageNamed } from "../pages.js";
import { href } from "../router.js";
import { run, sending } from "../running.js";
import { counted, duration, gigabytes } from "../words.js";
import { TASKS, chosenStyles, request, wish } from "../wish.js";
import { Icon } from "./icons.js";
import { showSayings } from "./sayings.js";

export function Foot() {
  const error = lacking.value ?? planning.value.error;
  const { verb } = TASKS.find(({ name }) => name === wish.value.task);
  return html`<div class="foot">
    ${error ? html`<${Refused} error=${error} />` : html`<${Plan} />`}
    <div class="row">
      <button class="button main run" aria-keyshortcuts="Control+Enter" aria-describedby="plan" disabled=${sending.value || !online.value || Boolean(error)} onClick=${(event) => { if (event.detail < 2) run(); }}>
        ${verb} ${counted(wish.value.count ?? 1, "image")} <kbd aria-hidden="true">Ctrl ⏎</kbd>
      </button>
      <button class="button equal" aria-haspopup="dialog" aria-label="The same as a command, Python or a request" title="The same as a command, Python or a request"
        onClick=${() => showSayings({ request: request.value, styles: chosenStyles.value })}><${Icon} name="code" /></button>
    </div>
  </div>`;
}

const Refused = ({ error }) => html`<div class="notice" id="plan" role="status"><b>${error.message}</b>${error.hint && html`<span class="hint">${error.hint}</span>`}
  ${error.page && html`<a href=${href(error.page)}>Open ${pageNamed(error.page).title}</a>`}</div>`;

function Plan() {
  const { plan, asking } = planning.value;
  if (!plan) return html`<div class="plan muted" id="plan">${online.value ? "Planning" : "The plan comes with the server"}</div>`;
  const share = plan.memory_total ? plan.peak_bytes / plan.memory_total : 0;
  const [used, unit] = gigabytes(plan.peak_bytes).split(" ");
  const memory = plan.memory_total ? ` of ${gigabytes(plan.memory_total)}` : "";
  return html`<div class=${asking ? "plan asking" : "plan"} id="plan">
    <div class="plan-row">
      <span class="strong" title="How long it should take">${duration(plan.seconds)}</span>
      <span class=${share > 0.85 ? "bar look" : "bar"} aria-hidden="true"><i style=${{ width: `${Math.min(100, Math.max(2, share * 100))}%` }}></i></span>
      <span title="Memory at the peak"><span class="strong">${used}</span><span class="muted"> ${memory && unit === memory.split(" ").at(-1) ? "" : unit}${memory}</span></span>
      <span class="muted cut" title=${plan.device_name}>${plan.device.toUpperCase()}, ${plan.precision}</span>
    </div>
    ${plan.notes.length > 0 && html`<p class="muted small plan-notes" title=${plan.notes.join("\n")}>${plan.notes[0]}</p>`}
  </div>`;
}
