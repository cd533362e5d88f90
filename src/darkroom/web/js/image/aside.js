/** What stands beside the picture: where it comes from, what came of it, and its equals in words. */
import { api } from "../api.js";
import { copyText } from "../actions.js";
import { Segmented } from "../parts/fields.js";
import { html, useState } from "../preact.js";
import { href } from "../router.js";
import { written } from "../seeds.js";

/** Thumbnails that lead to their images. */
export const Thumbs = ({ images }) => html`<ul class="thumbs">
  ${images.map((image) => html`<li key=${image.id}><a href=${href("image", image.id)} aria-label=${`Open: ${image.prompt || "image"}, seed ${image.seed ?? "unknown"}`}>
    <img src=${api.thumbnailUrl(image.id, 128)} alt="" loading="lazy" width="72" height="72" /></a></li>`)}
</ul>`;

export function Lineage({ parents, children }) {
  if (!parents.length && !children.length) return null;
  return html`<section class="image-part" aria-label="Lineage">
    ${parents.length > 0 && html`<h3>Made from</h3><${Thumbs} images=${parents} />`}
    ${children.length > 0 && html`<h3>What came of it</h3><${Thumbs} images=${children} />`}
  </section>`;
}

const FORMS = [
  { value: "command", label: "Command" }, { value: "python", label: "Python" },
  { value: "http", label: "Request" }, { value: "json", label: "Recipe" },
];

/** The same image as a command, as Python, as a request; and its recipe as it stands in the file. */
export function Sayings({ sayings, recipe }) {
  const [form, setForm] = useState("command");
  const text = form === "json" ? written(recipe, 2) : sayings?.[form] ?? "";
  if (!sayings && !recipe) return null;
  return html`<section class="image-part" aria-label="The same in other words">
    <h3>The same as</h3>
    <${Segmented} small label="Form" value=${form} options=${FORMS} onSay=${setForm} />
    <pre class="image-saying" tabindex="0">${text}</pre>
    <button class="button small" onClick=${() => copyText(text, FORMS.find((each) => each.value === form).label)}>Copy</button>
  </section>`;
}

const TOLD = {
  accepted: "accepted", started: "started", interrupted: "interrupted", resumed: "went on", done: "done", failed: "failed",
  cancelled: "cancelled", "worker died": "worker ended unexpectedly",
};

/** What happened to its job, where there is more to say than that it was made. */
export function History({ history }) {
  const events = history ?? [];
  if (events.length < 2) return null;
  return html`<details class="image-part recipe-more"><summary>History</summary>
    <ol class="image-history">${events.map((event, at) => html`<li key=${at}>
      <time class="muted">${new Date(event.at).toLocaleString()}</time> <span>${TOLD[event.kind] ?? event.kind}</span></li>`)}</ol>
  </details>`;
}
