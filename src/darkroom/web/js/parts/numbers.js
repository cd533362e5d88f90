/** The fields below the model: how the image is developed. */
import { html } from "../preact.js";
import { planning, resolved, usual } from "../plan.js";
import { chosen, choices, modelNamed, recent } from "../state.js";
import { MOST_SEED, SEEDS } from "../seeds.js";
import { modelName, say, samplerInUse, takes, wish } from "../wish.js";
import { Counter, NumberInput, Select, Slider } from "./fields.js";
import { Icon } from "./icons.js";

/** Props of the field of that name. @param {string} field */
export const bound = (field) => ({ value: wish.value[field], fallback: usual(field), onSay: (said) => say({ [field]: said }) });

export function Numbers() {
  const { task } = wish.value;
  const model = modelNamed(modelName.value);
  const noisiest = task === "upscale" ? 350 : 999;
  return html`<div class="fields">
    ${takes("strength", task) && html`<div class="whole"><${Slider} label="Strength" hint="0 keeps the image, 1 leaves little of it" min=${0} max=${1} step=${0.01} ...${bound("strength")} /></div>`}
    ${takes("noise_level", task) && html`<div class="whole"><${Slider} label="Noise level" hint="How much noise is put on the input first" min=${0} max=${noisiest} step=${1} ...${bound("noise_level")} /></div>`}
    ${takes("image_guidance", task) && model?.task === "pix2pix" && html`<div class="whole"><${Slider} label="Image guidance" hint="How closely it keeps to the image" min=${-100} max=${100} low=${1} high=${4} step=${0.1} ...${bound("image_guidance")} /></div>`}
    <${Slider} label="Steps" min=${1} max=${1000} low=${1} high=${60} step=${1} ...${bound("steps")} />
    <${Slider} label="Guidance" hint="How closely it keeps to the prompt" min=${-100} max=${100} low=${1} high=${20} step=${0.5} ...${bound("guidance")} />
    <${Sampler} />
    <${Schedule} />
    <${Seed} />
    <${Counter} label="Images" min=${1} max=${10000} value=${wish.value.count ?? 1} onSay=${(count) => say({ count })} />
  </div>`;
}

const named = (entry) => ({ value: entry.name, label: entry.label });

function Sampler() {
  const prediction = wish.value.prediction ?? modelNamed(modelName.value)?.prediction;
  const works = (sampler) => !prediction || (sampler.predictions?.includes(prediction) ?? true);
  const options = choices.value.samplers.map((sampler) => ({ ...named(sampler), disabled: !works(sampler) }));
  return html`<${Select} label="Sampler" options=${options} ...${bound("sampler")} />`;
}

function Schedule() {
  const only = samplerInUse.value?.schedules;
  const options = choices.value.schedules.filter(({ name }) => only?.includes(name) ?? true).map(named);
  return html`<${Select} label="Schedule" options=${options} ...${bound("schedule")} />`;
}

function Seed() {
  const { seed } = wish.value;
  const last = chosen.value ?? recent.value[0];
  return html`<div class="field">
    <label class="label" for="seed">Seed</label>
    <div class="box">
      <${NumberInput} id="seed" value=${seed} fallback=${0} placeholder="random" min=${0} max=${MOST_SEED} numbers=${SEEDS} onSay=${(said) => say({ seed: said })} />
      <button class="icon-button" aria-label="Random seed" title="A random seed each time" aria-pressed=${seed === undefined} onClick=${() => say({ seed: null })}><${Icon} name="dice" /></button>
      <button class="icon-button" aria-label="Keep the seed of the image shown" title="Keep the seed of the image shown" disabled=${!last} aria-pressed=${seed !== undefined && seed === last?.seed}
        onClick=${() => say({ seed: last.seed })}><${Icon} name="lock" /></button>
    </div>
  </div>`;
}

/** How many more steps the schedule takes than were asked for, in one line; seldom. */
export function StepsNote() {
  const { steps } = wish.value;
  const real = resolved.value.steps;
  if (!planning.value.plan || !steps || !real || real === steps) return null;
  return html`<p class="small muted">This schedule has ${real} steps where ${steps} are asked for.</p>`;
}
