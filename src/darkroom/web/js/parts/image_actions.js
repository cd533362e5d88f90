/** The bar of what can be done with an image: the usual as buttons, the rest in a menu. */
import { imageActions } from "../actions.js";
import { html } from "../preact.js";
import { Menu } from "./menu.js";

/** @param {{image: import("../api.js").Image, without?: string[], class?: string}} props  `without`: names of actions to leave out */
export function ImageActions({ image, without = [], class: extra = "" }) {
  const all = imageActions(image).filter(({ name }) => !without.includes(name));
  return html`<div class=${`image-actions ${extra}`} role="toolbar" aria-label="This image">
    ${all.filter(({ bar }) => bar).map(({ name, label, act }) => html`<button key=${name} class=${`tool tool-${name}`} onClick=${act}>${label}</button>`)}
    <${Menu} label="More actions" class="tool" items=${all.filter(({ bar }) => !bar)} />
  </div>`;
}
