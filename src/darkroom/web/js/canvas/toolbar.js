// The canvas's buttons and fields: tools, brush, crop, extension, undo.

import { html, useId } from "../preact.js";
import { MOST_SIZE } from "./easel.js";
import { SIDES } from "./area.js";
import { ToolIcon } from "./icons.js";
import { KEYS } from "./keys.js";

const TOOLS = [
  ["brush", "Brush", "B"],
  ["eraser", "Eraser", "E"],
  ["fill", "Fill", "G"],
  ["picker", "Pick colour", "I"],
  ["move", "Move", "H"],
  ["crop", "Crop", "C"],
  ["extend", "Extend", "X"],
];
const SWATCHES = [
  ["#231d18", "Black"], ["#ffffff", "White"], ["#d64533", "Red"], ["#ef8f1d", "Orange"], ["#f2c744", "Yellow"],
  ["#4f9d55", "Green"], ["#3f7fd0", "Blue"], ["#8457c5", "Purple"], ["#ef8fa8", "Pink"], ["#8a5a37", "Brown"],
];
const EXTENSION = { left: "Left", top: "Above", right: "Right", bottom: "Below" };

/** The tools, one of which is in the hand. */
export function Tools({ easel }) {
  return html`<div class="easel-tools" role="toolbar" aria-label="Tools">
    ${TOOLS.map(([name, label, key]) => html`
      <button class="easel-tool" key=${name} aria-pressed=${easel.tool.value === name} title=${`${label} (${key})`}
          aria-keyshortcuts=${key} onClick=${() => { easel.tool.value = name; easel.redraw(); }}>
        <${ToolIcon} name=${name} /><span>${label}</span>
      </button>`)}
  </div>`;
}

/** What the tool in the hand can be told. */
export function Options({ easel }) {
  const tool = easel.tool.value;
  const isMask = easel.layer.value === "mask";
  const paints = tool === "brush" || tool === "eraser";
  return html`<div class="easel-options">
    ${tool === "crop" ? html`<${Crop} easel=${easel} />`
      : tool === "extend" ? html`<${Extension} easel=${easel} />`
      : html`
        <${Layers} easel=${easel} />
        ${paints && html`<${Slider} label="Size" value=${easel.size} least=${1} most=${MOST_SIZE} unit="px" />`}
        ${paints && !isMask && html`<${Slider} label="Hardness" value=${easel.hardness} percent />`}
        ${(paints || tool === "fill") && !isMask && html`<${Slider} label="Opacity" value=${easel.opacity} percent />`}
        ${tool === "fill" && !isMask && html`<${Slider} label="Tolerance" value=${easel.tolerance} least=${0} most=${255} />`}
        ${!isMask && tool !== "eraser" && tool !== "move" && html`<${Colour} easel=${easel} />`}`}
  </div>`;
}

function Layers({ easel }) {
  const layers = [["sketch", "Sketch"], ["mask", "Mask"]];
  return html`<div class="easel-layers" role="group" aria-label="Paint on">
    ${layers.map(([name, label]) => html`
      <button key=${name} aria-pressed=${easel.layer.value === name} title=${`${label} (M)`}
        onClick=${() => { easel.layer.value = name; }}>${label}</button>`)}
  </div>`;
}

function Slider({ label, value, least = 0, most = 1, unit = "", percent = false }) {
  const id = useId();
  const shown = percent ? `${Math.round(value.value * 100)} %` : `${value.value}${unit && ` ${unit}`}`;
  return html`<label class="easel-slider" for=${id}>
    <span class="label">${label}</span>
    <input id=${id} type="range" min=${least} max=${most} step=${percent ? 0.05 : 1} value=${value.value}
      aria-valuetext=${shown} onInput=${(event) => { value.value = event.target.valueAsNumber; }} />
    <span class="easel-value" aria-hidden="true">${shown}</span>
  </label>`;
}

function Colour({ easel }) {
  const choose = (colour) => { easel.colour.value = colour; };
  return html`<div class="easel-colours" role="group" aria-label="Colour">
    <input type="color" aria-label="Colour of the brush" value=${easel.colour.value}
      onInput=${(event) => choose(event.target.value)} />
    ${SWATCHES.map(([colour, name]) => html`
      <button key=${colour} class="easel-swatch" aria-label=${name} title=${name} style=${{ background: colour }}
        aria-pressed=${easel.colour.value === colour} onClick=${() => choose(colour)}></button>`)}
  </div>`;
}

function Crop({ easel }) {
  const crop = easel.crop.value;
  const { width, height } = easel.picture;
  const now = crop ?? { x: 0, y: 0, width, height };
  const change = (name, number) => {
    const next = { ...now, [name]: number };
    next.x = Math.min(next.x, width - 8);
    next.y = Math.min(next.y, height - 8);
    next.width = Math.min(next.width, width - next.x);
    next.height = Math.min(next.height, height - next.y);
    easel.crop.value = next;
    easel.redraw();
  };
  return html`
    <${Pixels} label="From left" value=${now.x} most=${width - 8} onChange=${(value) => change("x", value)} />
    <${Pixels} label="From top" value=${now.y} most=${height - 8} onChange=${(value) => change("y", value)} />
    <${Pixels} label="Width" value=${now.width} least=${8} most=${width} onChange=${(value) => change("width", value)} />
    <${Pixels} label="Height" value=${now.height} least=${8} most=${height} onChange=${(value) => change("height", value)} />
    ${!crop && html`<span class="muted small easel-size">Drag a frame, or type it</span>`}
    <button class="button small" disabled=${!crop} onClick=${() => easel.applyCrop()}>Cut it out</button>`;
}

function Extension({ easel }) {
  const sides = easel.extend.value;
  const set = (side, value) => easel.setExtend(sides.with(side, value));
  const [width, height] = [easel.picture.width + sides[0] + sides[2], easel.picture.height + sides[1] + sides[3]];
  return html`
    ${SIDES.map((side, index) => html`
      <${Pixels} key=${side} label=${EXTENSION[side]} value=${sides[index]} step=${8} most=${2048}
        onChange=${(value) => set(index, value)} />`)}
    <span class="muted small easel-size">becomes ${width} × ${height}</span>
    <button class="button small" disabled=${sides.every((side) => side === 0)}
      onClick=${() => easel.setExtend([0, 0, 0, 0])}>None</button>`;
}

/** A whole number of pixels; what cannot be meant is not taken. */
export function Pixels({ label, value, least = 0, most, step = 1, onChange }) {
  const id = useId();
  const take = (event) => {
    const number = event.target.valueAsNumber;
    if (Number.isInteger(number) && number >= least && number <= most) onChange(number);
    else event.target.value = value;
  };
  return html`<label class="easel-number" for=${id}>
    <span class="label">${label}</span>
    <input id=${id} type="number" inputmode="numeric" min=${least} max=${most} step=${step} value=${value} onChange=${take} />
  </label>`;
}

/** Undo, redo, zoom, and what is done to all of a layer. */
export function Actions({ easel, onNew, onPaste }) {
  const { history } = easel.picture;
  const isMask = easel.layer.value === "mask";
  return html`<div class="easel-actions" role="toolbar" aria-label="Picture">
    <button class="icon-button" aria-label="Undo" title="Undo (Ctrl Z)" disabled=${!history.canUndo}
      onClick=${() => easel.undo()}><${ToolIcon} name="undo" /></button>
    <button class="icon-button" aria-label="Redo" title="Redo (Ctrl Shift Z)" disabled=${!history.canRedo}
      onClick=${() => easel.redo()}><${ToolIcon} name="redo" /></button>
    <span class="easel-gap"></span>
    <button class="icon-button" aria-label="Zoom out" title="Farther (−)" onClick=${() => easel.zoom(0.8)}><${ToolIcon} name="minus" /></button>
    <button class="quiet easel-zoom" title="The whole image (0)" onClick=${() => easel.fit()}>
      <span class="unseen">Show the whole image, now at </span>${Math.round(easel.scale.value * 100)} %
    </button>
    <button class="icon-button" aria-label="Zoom in" title="Nearer (+)" onClick=${() => easel.zoom(1.25)}><${ToolIcon} name="plus" /></button>
    <span class="easel-gap"></span>
    ${isMask && html`<button class="quiet" onClick=${() => easel.invertMask()}>Invert mask</button>`}
    <button class="quiet" onClick=${() => easel.clear()}>${isMask ? "Clear mask" : "Clear sketch"}</button>
    <button class="quiet" onClick=${onPaste}>Paste</button>
    <button class="quiet" onClick=${onNew}>New</button>
    <${Keys} />
  </div>`;
}

function Keys() {
  return html`<details class="easel-keys">
    <summary class="quiet">Keys</summary>
    <dl>${KEYS.map(([key, words]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${words}</dd></div>`)}</dl>
  </details>`;
}
