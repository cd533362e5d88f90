/** Two images over each other, and an edge between them that is dragged. */
import { html, useState } from "../preact.js";

/** @param {{before: string, after: string, labels: [string, string]}} props  addresses of two images */
export function CompareSlider({ before, after, labels }) {
  const [at, setAt] = useState(50);
  return html`<div class="slide" style=${{ "--at": `${at}%` }}>
    <img src=${after} alt=${labels[1]} draggable=${false} />
    <img class="slide-before" src=${before} alt=${labels[0]} draggable=${false} />
    <i class="slide-line" aria-hidden="true"></i>
    <span class="slide-label" aria-hidden="true">${labels[0]}</span><span class="slide-label end" aria-hidden="true">${labels[1]}</span>
    <input type="range" min="0" max="100" value=${at} aria-label=${`How much of ${labels[0]} is shown`} aria-valuetext=${`${at} percent`}
      onInput=${(event) => setAt(Number(event.target.value))} />
  </div>`;
}
