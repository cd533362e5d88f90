/** Create: wishes on the left, the image in the middle, queue and recent images on the right. */
import { html } from "../preact.js";

export default function Create() {
  return html`<div class="create"></div>`;
}
