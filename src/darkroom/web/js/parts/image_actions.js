/** The bar of what can be done with an image: the usual as buttons, the rest in a menu. */
import { imageActions } from "../actions.js";
import { html, signal } from "../preact.js";
import { Menu } from "./menu.js";

/** Whether there is little room, as on a phone: fewer buttons then, and a longer menu. */
const phone = matchMedia("(max-width: 760px)");
const narrow = signal(phone.matches);
phone.addEventListener("change", () => { narrow.value = phone.matches; });
const ROOMY = ["vary", "compare"];

/** @param {{image: import("../api.js").Image, without?: string[], class?: string}} props  `without`: names of actions to leave out */
export function ImageActions({ image, without = [], class: extra = "" }) {
  const all = imageActions(image).filter(({ name }) => !without.includes(name));
  const shown = all.filter(({ name, bar }) => bar && !(narrow.value && ROOMY.includes(name)));
  return html`<div class=${`image-actions ${extra}`} role="toolbar" aria-label="This image">
    ${shown.map(({ name, label, act }) => html`<button key=${name} class="tool" onClick=${act}>${label}</button>`)}
    <${Menu} label="More actions" class="tool" items=${all.filter((action) => !shown.includes(action))} />
  </div>`;
}
