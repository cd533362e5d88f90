/** What most wishes never say, folded away in groups. */
import { html } from "../preact.js";
import { usual } from "../plan.js";
import { MOST_SEED, SEEDS } from "../seeds.js";
import { modelNamed, status } from "../state.js";
import { modelName, say, samplerTakes, takes, wish } from "../wish.js";
import { NumberField, Select, Slider, Toggle } from "./fields.js";
import { bound } from "./numbers.js";

const FIELDS = ["eta", "churn", "churn_start", "churn_end", "noise_scale", "seed_offset", "noise", "rescale", "guidance_start",
  "guidance_end", "clip_skip", "prompt_syntax", "variation_seed", "variation_strength", "tiling", "hires", "hires_strength",
  "hires_steps", "hires_enlarger", "batch", "precision", "prediction", "device", "vae", "ema", "watermark", "private"];

/** A choice out of `value: label`. */
const options = (labels) => Object.entries(labels).map(([value, label]) => ({ value, label }));
const SYNTAXES = options({ a1111: "A1111", comfyui: "ComfyUI", invokeai: "InvokeAI", basujindal: "basujindal", plain: "Plain" });
const TILINGS = options({ none: "None", x: "Sideways", y: "Up and down", both: "Both ways" });
const ENLARGERS = options({ lanczos: "Pixels (Lanczos)", latent: "Latents" });
const PRECISIONS = options({ fp32: "fp32", bf16: "bf16", fp16: "fp16" });
const PREDICTIONS = options({ eps: "eps", v: "v" });
const NOISES = options({ cpu: "CPU, as everywhere", nv: "as an NVIDIA GPU draws it" });

export function Advanced() {
  const said = FIELDS.filter((name) => wish.value[name] !== undefined && takes(name, wish.value.task));
  const clear = (event) => {
    event.preventDefault();
    say(Object.fromEntries(said.map((name) => [name, null])));
  };
  return html`<details class="advanced">
    <summary><span>Advanced${said.length > 0 && html`<span class="muted"> · ${said.length} set</span>`}</span>
      ${said.length > 0 && html`<button class="quiet" onClick=${clear}>Reset</button>`}</summary>
    <${Guiding} /><${Fresh} /><${Varying} /><${Picture} /><${Machine} />
  </details>`;
}

const Group = ({ title, children }) => html`<section class="advanced-group" aria-label=${title}><h3>${title}</h3><div class="fields">${children}</div></section>`;
const share = { min: 0, max: 1, step: 0.05 };

const Guiding = () => html`<${Group} title="Prompt and guidance">
  <${Select} label="Prompt syntax" hint="How weights such as (word:1.2) are written" options=${SYNTAXES} ...${bound("prompt_syntax")} fallback=${usual("prompt_syntax") ?? "a1111"} />
  <${NumberField} label="Clip skip" hint="1 takes the text encoder's last layer, 2 the one before" min=${1} max=${24} ...${bound("clip_skip")} fallback=${1} />
  <div class="whole"><${Slider} label="Rescale" hint="How far guidance keeps the contrast of the unguided image; 0.7 is usual" ...${share} ...${bound("rescale")} fallback=${0} /></div>
  <${Slider} label="Guidance from" hint="The part of the schedule in which guidance acts" ...${share} ...${bound("guidance_start")} fallback=${0} />
  <${Slider} label="to" ...${share} ...${bound("guidance_end")} fallback=${1} />
<//>`;

/** Noise that is put back while sampling. */
const Fresh = () => html`<${Group} title="Sampling noise">
  ${samplerTakes("eta") && html`<div class="whole"><${Slider} label="Eta" hint="The share of fresh noise in each step" ...${share} ...${bound("eta")} /></div>`}
  ${samplerTakes("churn") && html`
    <${NumberField} label="Churn" hint="Fresh noise in each step" min=${0} max=${100} step=${1} whole=${false} ...${bound("churn")} fallback=${0} />
    <${NumberField} label="Churn from sigma" min=${0} max=${1000} step=${0.1} ...${bound("churn_start")} fallback=${0} />
    <${NumberField} label="Churn to sigma" min=${0} max=${1000} step=${0.1} placeholder="no end" ...${bound("churn_end")} />`}
  <${NumberField} label="Noise scale" min=${0} max=${2} step=${0.01} ...${bound("noise_scale")} fallback=${1} />
  <${NumberField} label="Seed offset" hint="Added to the seeds of the noise of the steps" min=${0} max=${1e9} ...${bound("seed_offset")} fallback=${0} />
  <div class="whole"><${Select} label="Noise drawn by" options=${NOISES} ...${bound("noise")} fallback="cpu" /></div>
<//>`;

const Varying = () => html`<${Group} title="Variation of a seed">
  <div class="whole"><${Slider} label="Variation strength" hint="How far the start noise turns towards that of another seed" ...${share} step=${0.01} ...${bound("variation_strength")} fallback=${0} /></div>
  <div class="whole"><${NumberField} label="Variation seed" min=${0} max=${MOST_SEED} numbers=${SEEDS} placeholder="random" ...${bound("variation_seed")} fallback=${0} /></div>
<//>`;

function Picture() {
  const { task, hires } = wish.value;
  return html`<${Group} title="Picture">
    ${takes("hires", task) && html`<div class="whole"><${Slider} label="Second pass, enlarged by" hint="1 makes none" min=${1} max=${4} step=${0.25} value=${hires} fallback=${1}
      onSay=${(said) => say({ hires: said === 1 ? null : said })} /></div>`}
    ${takes("hires", task) && hires && html`
      <div class="whole"><${Slider} label="Its strength" min=${0} max=${1} step=${0.01} ...${bound("hires_strength")} fallback=${0.5} /></div>
      <${NumberField} label="Its steps" min=${1} max=${1000} placeholder="as the first" ...${bound("hires_steps")} />
      <${Select} label="Enlarges" options=${ENLARGERS} ...${bound("hires_enlarger")} fallback="lanczos" />`}
    <${Select} label="Tiling" hint="Directions in which the image continues at its other edge" options=${TILINGS} ...${bound("tiling")} fallback="none" />
    <${Select} label="Invisible watermark" options=${options({ yes: "Written", no: "Left out" })} value=${{ true: "yes", false: "no" }[wish.value.watermark]}
      onSay=${(said) => say({ watermark: said && said === "yes" })} />
    <div class="whole"><${Toggle} label="Private: the file holds no recipe" value=${wish.value.private ?? false} onSay=${(on) => say({ private: on || null })} /></div>
  <//>`;
}

function Machine() {
  const devices = (status.value?.devices ?? []).map(({ device, name }) => ({ value: device, label: name ? `${device}: ${name}` : device }));
  const model = modelNamed(modelName.value);
  return html`<${Group} title="Machine">
    <${NumberField} label="Images at once" min=${1} max=${64} placeholder="automatic" ...${bound("batch")} />
    <${Select} label="Precision" options=${PRECISIONS} ...${bound("precision")} />
    <${Select} label="Prediction" hint=${model?.prediction_reason} options=${PREDICTIONS} ...${bound("prediction")} fallback=${model?.prediction} />
    ${devices.length > 1 && html`<${Select} label="Device" options=${devices} ...${bound("device")} />`}
    ${model?.ema && html`<div class="whole"><${Toggle} label="Moving averages (EMA) of the weights" value=${wish.value.ema ?? false} onSay=${(on) => say({ ema: on || null })} /></div>`}
  <//>`;
}
