/** Width and height: shapes to click, exact numbers, swap, and sizes used before. */
import { html } from "../preact.js";
import { resolved } from "../plan.js";
import { modelNamed } from "../state.js";
import { beside, modelName, say, wish } from "../wish.js";
import { NumberInput } from "./fields.js";
import { Icon } from "./icons.js";

const SHAPES = [["1:1", 1, 1], ["4:5", 4, 5], ["2:3", 2, 3], ["3:2", 3, 2], ["16:9", 16, 9]];
const TALL = 30; // pixels of a drawn shape, as the root of its area

/** Sides of about the model's own area in that proportion. */
function sides(across, down, model) {
  const area = (model?.native_width ?? 512) * (model?.native_height ?? 512);
  const grid = area >= 256 ** 2 ? 64 : 8;
  const round = (side) => Math.max(grid, Math.round(side / grid) * grid);
  return [round(Math.sqrt((area * across) / down)), round(Math.sqrt((area * down) / across))];
}

export function Size() {
  const model = modelNamed(modelName.value);
  const { width: saidWidth, height: saidHeight, task } = wish.value;
  const width = saidWidth ?? resolved.value.width ?? model?.native_width ?? 512;
  const height = saidHeight ?? resolved.value.height ?? model?.native_height ?? 512;
  const put = (across, down) => say({ width: across, height: down });
  const number = { min: 8, max: 8192, step: 8, whole: true };
  const fromImage = task !== "txt2img" && task !== "vary";
  return html`<div class="field size" role="group" aria-label="Size">
    <div class="spread">
      <span class="label">Size${fromImage && !saidWidth ? ", as the image" : ""}</span>
      <span class="row size-numbers">
        <${NumberInput} label="Width" value=${saidWidth} fallback=${width} onSay=${(said) => say({ width: said, height: said ? height : saidHeight })} ...${number} />
        <span aria-hidden="true">×</span>
        <${NumberInput} label="Height" value=${saidHeight} fallback=${height} onSay=${(said) => say({ height: said, width: said ? width : saidWidth })} ...${number} />
      </span>
    </div>
    <div class="row shapes">
      ${!fromImage && SHAPES.map(([name, across, down]) => {
        const [w, h] = sides(across, down, model);
        const root = Math.sqrt(across * down);
        const style = { width: `${(across / root) * TALL}px`, height: `${(down / root) * TALL}px` };
        return html`<button class="shape" key=${name} aria-pressed=${w === width && h === height} title=${`${w} × ${h}`} onClick=${() => put(w, h)}>
          <i style=${style}></i><span>${name}</span>
        </button>`;
      })}
      <span class="shapes-end">
        ${(saidWidth || saidHeight) && html`<button class="quiet" onClick=${() => put(null, null)}>${fromImage ? "as the image" : "usual"}</button>`}
        <button class="quiet" onClick=${() => put(height, width)}><${Icon} name="swap" />swap</button>
      </span>
    </div>
    ${beside.value.sizes.length > 0 && !fromImage && html`<div class="row wrap recent-sizes">
      ${beside.value.sizes.map((size) => {
        const [w, h] = size.split("×").map(Number);
        return html`<button class="quiet" key=${size} aria-pressed=${w === width && h === height} onClick=${() => put(w, h)}>${w} × ${h}</button>`;
      })}
    </div>`}
  </div>`;
}
