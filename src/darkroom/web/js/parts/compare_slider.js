/** Two images over each other, and a slider between them. */
import { html, useId, useState } from "../preact.js";

/** @param {{before: string, after: string, labels?: [string, string]}} props  addresses of two images */
export function CompareSlider({ before, after, labels = ["Before", "After"] }) {
  const [at, setAt] = useState(50);
  const id = useId();
  return html`<div class="slide" style=${{ "--at": `${at}%` }}>
    <img src=${after} alt=${labels[1]} />
    <img class="slide-before" src=${before} alt=${labels[0]} />
    <i class="slide-line" aria-hidden="true"></i>
    <span class="slide-label" aria-hidden="true">${labels[0]}</span><span class="slide-label end" aria-hidden="true">${labels[1]}</span>
    <label class="unseen" for=${id}>How much of ${labels[0]} is seen</label>
    <input id=${id} type="range" min="0" max="100" value=${at} aria-valuetext=${`${at} % ${labels[0]}`} onInput=${(event) => setAt(Number(event.target.value))} />
  </div>`;
}
