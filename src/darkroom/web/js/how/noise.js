/** How a model learns: a picture is drowned in noise, and the network guesses what was put in. */
import { api } from "../api.js";
import { html, useEffect, useId, useRef, useState } from "../preact.js";

const SIDE = 160;

/** Standard normal numbers, always the same ones. @param {number} count */
function gaussian(count) {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 4294967297;
  };
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

/** x = √ᾱ·picture + √(1 − ᾱ)·noise, as in training. */
function drown(pixels, noise, share) {
  const signal = Math.sqrt(1 - share);
  const grain = Math.sqrt(share);
  const mixed = new ImageData(SIDE, SIDE);
  for (let at = 0; at < pixels.length; at += 1) {
    mixed.data[at] = at % 4 === 3 ? 255 : 127.5 * (signal * (pixels[at] / 127.5 - 1) + grain * noise[at]) + 127.5;
  }
  return mixed;
}

/** The beginning of every image: noise and nothing else, one colour a place. */
export function Noise({ side = 16 }) {
  const canvas = useRef(null);
  useEffect(() => {
    const grain = gaussian(side * side * 3);
    const image = new ImageData(side, side);
    for (let at = 0; at < side * side * 4; at += 1) image.data[at] = at % 4 === 3 ? 255 : 127 + 62 * grain[at - Math.floor(at / 4)];
    canvas.current.getContext("2d").putImageData(image, 0, 0);
  }, [side]);
  return html`<canvas ref=${canvas} class="station-noise" width=${side} height=${side}></canvas>`;
}

export function Drowned({ image }) {
  const id = useId();
  const canvas = useRef(null);
  const source = useRef(null);
  const noise = useRef(null);
  const [share, setShare] = useState(50);
  const paint = () => {
    if (source.current) canvas.current.getContext("2d").putImageData(drown(source.current, noise.current, share / 100), 0, 0);
  };
  useEffect(() => {
    if (!image) return;
    const picture = new Image();
    picture.onload = () => {
      const own = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE }).getContext("2d");
      own.drawImage(picture, 0, 0, SIDE, SIDE);
      source.current = own.getImageData(0, 0, SIDE, SIDE).data;
      noise.current = gaussian(source.current.length);
      paint();
    };
    picture.src = api.fileUrl(image.id);
  }, [image?.id]);
  useEffect(paint, [share]);
  if (!image) return html`<div class="how-figure how-later muted">Develop an image above; then it can be drowned in noise here.</div>`;
  return html`<div class="how-figure how-drown">
    <canvas ref=${canvas} width=${SIDE} height=${SIDE} role="img" aria-label=${`The picture with ${share} percent noise`}></canvas>
    <div class="field"><label class="label" for=${id}>Noise: ${share} %</label>
      <input id=${id} type="range" min="0" max="100" value=${share} style=${{ "--fill": `${share}%` }} onInput=${(event) => setShare(Number(event.target.value))} /></div>
  </div>`;
}
