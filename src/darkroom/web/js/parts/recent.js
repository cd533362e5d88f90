/** The newest images, to be put on the stage. */
import { html } from "../preact.js";
import { href } from "../router.js";
import { compared, show, view } from "../running.js";
import { recent, total } from "../state.js";
import { Icon } from "./icons.js";

export function Recent() {
  const now = view.value;
  const current = now.kind === "image" ? now.image.id : null;
  const pick = (image) => {
    if (compared.value && image.id !== current) compared.value = { image, label: "Other" };
    else show(image);
  };
  return html`<section class="recent" aria-label="Recent images">
    <div class="spread aside-head"><h2>Recent</h2>${total.value > 0 && html`<a class="quiet" href=${href("gallery")}>All ${total.value.toLocaleString("en")}</a>`}</div>
    ${!recent.value.length && html`<p class="muted small">Your images will stand here.</p>`}
    <div class="recent-thumbs">
      ${recent.value.map((image) => html`<button key=${image.id} class="recent-thumb" aria-pressed=${image.id === current} title=${image.prompt} onClick=${() => pick(image)}>
        <img src=${image.thumbnail} alt=${image.prompt || `Image ${image.id}`} width="96" height="96" loading="lazy" draggable=${false} />
        ${image.favourite && html`<span class="recent-star"><${Icon} name="star" filled /></span>`}
      </button>`)}
    </div>
  </section>`;
}
