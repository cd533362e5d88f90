/** The steps of a finished image, to be dragged through. */
import { api } from "../api.js";
import { html, useId } from "../preact.js";
import { framesOf } from "./frames.js";

/** @param {{image: import("../api.js").Image, step: number|null, onStep: (step: number|null) => void}} props  null: the image itself */
export function Film({ image, step, onStep }) {
  const id = useId();
  const { steps } = image;
  if (!(steps > 1)) return null;
  const now = step ?? steps;
  const put = (to) => onStep(to >= steps ? null : to);
  const frames = framesOf(steps);
  const nearest = frames.reduce((best, frame) => (Math.abs(frame - now) < Math.abs(best - now) ? frame : best));
  return html`<section class="reel" aria-label="Film">
    <div class="spread small muted">
      <label for=${id}>Step ${now} of ${steps}</label>
      <span>${step === null ? "drag to see each step" : html`<button class="quiet" onClick=${() => onStep(null)}>Back to the image</button>`}</span>
    </div>
    <div class="reel-strip">
      ${frames.map((frame) => html`<button key=${frame} class="reel-frame" tabindex="-1" aria-hidden="true" data-now=${frame === nearest} onClick=${() => put(frame)}>
        <img src=${api.filmUrl(image.id, frame)} alt="" loading="lazy" decoding="async" draggable=${false} /></button>`)}
      <input id=${id} type="range" class="reel-range" min="1" max=${steps} step="1" value=${now} aria-valuetext=${`Step ${now} of ${steps}`}
        onInput=${(event) => put(Number(event.target.value))} />
    </div>
  </section>`;
}
