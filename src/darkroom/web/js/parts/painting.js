/** Inpaint: how the mask is taken, and what stands under it at first. */
import { html } from "../preact.js";
import { say, wish } from "../wish.js";
import { NumberField, Segmented, Slider, Toggle } from "./fields.js";
import { bound } from "./numbers.js";

const FILLS = [
  { value: "original", label: "Original", help: "What is there; matters below strength 1" },
  { value: "noise", label: "Noise", help: "Noise in its place" },
  { value: "blank", label: "Blank", help: "Nothing in its place" },
];
const REGIONS = [
  { value: "whole", label: "Whole image" },
  { value: "masked", label: "Masked part", help: "The model sees the masked part alone, at its full size: finer details" },
];

export function Painting() {
  const { mask_invert = false, fill = "original", region = "whole", extend } = wish.value;
  return html`<div class="fields painting">
    <div class="field whole"><span class="label">What the model sees</span><${Segmented} small label="What the model sees" value=${region} options=${REGIONS} onSay=${(said) => say({ region: said })} /></div>
    <div class="field whole"><span class="label">Under the mask at first</span><${Segmented} small label="Under the mask at first" value=${fill} options=${FILLS} onSay=${(said) => say({ fill: said })} /></div>
    <${Slider} label="Grow mask" min=${0} max=${256} high=${64} step=${1} ...${bound("mask_grow")} fallback=${0} />
    <${Slider} label="Blur edge" min=${0} max=${256} high=${64} step=${1} ...${bound("mask_blur")} fallback=${0} />
    ${region === "masked" && html`<div class="whole"><${Slider} label="Seen around it" min=${0} max=${4096} high=${256} step=${8} ...${bound("region_padding")} fallback=${32} /></div>`}
    ${extend && html`<${Extension} extend=${extend} />`}
    <div class="whole"><${Toggle} label="Paint outside the mask instead" value=${mask_invert} onSay=${(on) => say({ mask_invert: on || null })} /></div>
  </div>`;
}

function Extension({ extend }) {
  const put = (side, pixels) => {
    const sides = extend.with(side, pixels ?? 0);
    say({ extend: sides.some((each) => each > 0) ? sides : null });
  };
  return html`<div class="whole fields sides" role="group" aria-label="Extended by">
    ${["Left", "Top", "Right", "Bottom"].map((name, side) => html`<${NumberField} key=${name} label=${name} min=${0} max=${4096} step=${8} value=${extend[side]} onSay=${(said) => put(side, said)} />`)}
  </div>`;
}
