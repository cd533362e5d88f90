/** Which model makes the image: its name and one line of facts. */
import { html, useId } from "../preact.js";
import { models, modelNamed } from "../state.js";
import { modelTitle } from "../words.js";
import { ABLE, TASKS, modelName, say, wish } from "../wish.js";
import { Icon } from "./icons.js";

const MADE_FOR = { inpaint: "inpainting", depth2img: "depth", upscale: "upscaler", vary: "variations", pix2pix: "follows instructions" };

/** @param {object} model */
export function facts(model) {
  const size = model.native_width === model.native_height ? `${model.native_width} px` : `${model.native_width} × ${model.native_height}`;
  const made = MADE_FOR[model.task];
  const kind = model.demonstration ? "demonstration, built in" : { sd1: "Stable Diffusion 1", sd2: "Stable Diffusion 2" }[model.family] ?? model.family;
  return [size, made, kind].filter(Boolean).join(", ");
}

export function ModelField() {
  const id = useId();
  const { task } = wish.value;
  const able = models.value.filter((model) => ABLE[model.task]?.includes(task));
  const unable = models.value.filter((model) => !able.includes(model));
  const held = modelNamed(modelName.value);
  const option = (model) => html`<option key=${model.name} value=${model.name}>${modelTitle(model.name)}: ${facts(model)}</option>`;
  return html`<div class="field">
    <label class="label" for=${id}>Model</label>
    <div class="box select">
      <span class="cut" aria-hidden="true">${modelTitle(modelName.value)} ${held && html`<span class="fact">${facts(held)}</span>`}</span>
      <${Icon} name="down" />
      <select id=${id} value=${modelName.value} onChange=${(event) => say({ model: event.target.value })}>
        ${able.length > 0 && html`<optgroup label=${`Can do: ${TASKS.find(({ name }) => name === task).title}`}>${able.map(option)}</optgroup>`}
        ${unable.length > 0 && html`<optgroup label="For other tasks">${unable.map(option)}</optgroup>`}
        ${!held && html`<option value=${modelName.value}>${modelName.value}</option>`}
      </select>
    </div>
  </div>`;
}
