/** Two images over each other, with an edge between them that can be dragged. */
import { html, useState } from "../preact.js";

/** @param {{before: string, after: string, names: [string, string], width: number, height: number}} props  addresses; names for a reader */
export function Slider({ before, after, names, width, height }) {
  const [share, setShare] = useState(50);
  return html`<div class="versus" style=${{ "--share": `${share}%`, "--ratio": width / height }}>
    <img class="versus-after" src=${after} alt=${names[1]} draggable=${false} />
    <img class="versus-before" src=${before} alt=${names[0]} draggable=${false} />
    <span class="versus-name" aria-hidden="true">${names[0]}</span>
    <span class="versus-name right" aria-hidden="true">${names[1]}</span>
    <i class="versus-edge" aria-hidden="true"></i>
    <input type="range" min="0" max="100" step="0.5" value=${share} aria-label=${`How much of ${names[0]} is shown`}
      aria-valuetext=${`${Math.round(share)} percent`} onInput=${(event) => setShare(Number(event.target.value))} />
  </div>`;
}
