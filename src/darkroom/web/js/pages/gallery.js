/** Every image that was made here: search, filters, a wall of pictures, and what to do with many. */
import { choose, count, facets, filter, filtered, items, loadFacets, NO_FILTER, needAll, open, problem, restart, SIDES } from "../gallery/collection.js";
import { bringBack, download, favour, images, purge, remove, select, selected, selectedImages } from "../gallery/deeds.js";
import { Wall } from "../gallery/grid.js";
import { editTags } from "../gallery/tags.js";
import { offerImage } from "../parts/drop_dialog.js";
import { Icon } from "../parts/icons.js";
import { html, useEffect, useRef, useState } from "../preact.js";
import { href } from "../router.js";
import { TASKS } from "../wish.js";

const TYPING = 220; // ms after the last letter
const dayOf = (image) => new Date(image.created).toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });

export default function Gallery() {
  const [seen, setSeen] = useState(null);
  useEffect(() => { open(); loadFacets(); }, []);
  useEffect(() => () => select([]), []);
  return html`<div class="gallery">
    <h1 class="unseen">Gallery</h1>
    <${Filters} seen=${seen} />
    <${Inside} onSight=${setSeen} />
    ${selected.value.size > 0 && html`<${Selection} />`}
  </div>`;
}

function Inside({ onSight }) {
  if (problem.value && !items.value.length) {
    return html`<div class="gallery-empty" role="alert">
      <h2>The images could not be loaded</h2><p>${problem.value.message} ${problem.value.hint}</p>
      <button class="button" onClick=${restart}>Try again</button>
    </div>`;
  }
  if (count.value === null) return html`<div class="gallery-waits" aria-busy="true" aria-label="Loading">${Array.from({ length: 24 }, (_, at) => html`<i key=${at}></i>`)}</div>`;
  if (count.value > 0) return html`<${Wall} onSight=${onSight} />`;
  if (filtered.value) {
    return html`<div class="gallery-empty">
      <h2>${filter.value.trashed ? "Nothing is in the trash" : "No image matches"}</h2><p>${filter.value.trashed ? "What you delete stays here until you delete it for good." : "Search looks into prompts and negative prompts; every word must be there."}</p>
      <button class="button" onClick=${() => choose({ ...NO_FILTER })}>Show all images</button>
    </div>`;
  }
  return html`<div class="gallery-empty">
    <div class="gallery-frames" aria-hidden="true"><i></i><i></i><i></i></div>
    <h2>Nothing is developed yet</h2>
    <p>Every image that you make hangs here, with all that is needed to make it again.</p>
    <a class="button main" href=${href("create")}>Make the first image</a>
  </div>`;
}

function Filters({ seen }) {
  const [folded, setFolded] = useState(true);
  const said = filter.value;
  const more = ["model", "task", "tag", "side", "from", "to"].filter((name) => said[name]).length;
  return html`<div class="gallery-bar" role="search">
    <div class="gallery-line">
      <${Search} />
      <button class="chip" aria-pressed=${said.favourite} onClick=${() => choose({ favourite: !said.favourite })}><${Icon} name="star" filled=${said.favourite} /> Favourites</button>
      <button class="chip gallery-fold" aria-expanded=${!folded} aria-controls="gallery-filters" onClick=${() => setFolded(!folded)}>Filters${more > 0 && html` <b>${more}</b>`}</button>
      <span class="gallery-count muted" role="status">${count.value === null ? "" : images(count.value)}${seen && count.value > 0 && html`<span class="gallery-day">${dayOf(seen)}</span>`}</span>
    </div>
    <div class="gallery-filters" id="gallery-filters" data-folded=${folded}>
      <${Pick} label="Model" name="model" all="All models" options=${facets.value.models.map(({ name }) => ({ value: name, label: name }))} />
      <${Pick} label="Task" name="task" all="All tasks" options=${TASKS.map(({ name: value, title: label }) => ({ value, label }))} />
      <${Pick} label="Tag" name="tag" all="All tags" options=${facets.value.tags.map(({ name, images: many }) => ({ value: name, label: `${name} (${many})` }))} />
      <${Pick} label="Size" name="side" all="Any size" options=${SIDES.slice(1)} />
      <label class="gallery-pick"><span>From</span><input type="date" value=${said.from} max=${said.to} onChange=${(event) => choose({ from: event.target.value })} /></label>
      <label class="gallery-pick"><span>To</span><input type="date" value=${said.to} min=${said.from} onChange=${(event) => choose({ to: event.target.value })} /></label>
      <span class="gallery-pick"><select aria-label="Order" value=${said.order} onChange=${(event) => choose({ order: event.target.value })}>
        <option value="new">Newest first</option><option value="old">Oldest first</option>
      </select></span>
      <button class="chip" aria-pressed=${said.trashed} onClick=${() => { select([]); choose({ trashed: !said.trashed }); }}><${Icon} name="trash" /> Trash</button>
      ${filtered.value && html`<button class="quiet" onClick=${() => { select([]); choose({ ...NO_FILTER, order: said.order }); }}>Clear</button>`}
      <${ReadRecipe} />
    </div>
  </div>`;
}

/** A picture from elsewhere: what its file says of how it was made, and what can be done with it. */
function ReadRecipe() {
  const field = useRef(null);
  const read = (event) => {
    const [file] = event.target.files;
    if (file) offerImage(file);
    event.target.value = "";
  };
  return html`<button class="quiet gallery-read" title="From Darkroom, A1111, ComfyUI or InvokeAI; or drop it anywhere" onClick=${() => field.current.click()}><${Icon} name="image" /> Read a picture's recipe</button>
    <input ref=${field} type="file" accept="image/*" hidden aria-label="A picture to read" onChange=${read} />`;
}

function Search() {
  const timer = useRef(0);
  const [typed, setTyped] = useState(null); // null: nothing that is not searched for yet
  const type = (event) => {
    clearTimeout(timer.current);
    const search = event.target.value;
    setTyped(search);
    timer.current = setTimeout(() => { setTyped(null); choose({ search }); }, TYPING);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<label class="gallery-search"><${Icon} name="search" />
    <input type="search" placeholder="Search in prompts" aria-label="Search in prompts" value=${typed ?? filter.value.search} onInput=${type} />
  </label>`;
}

/** One of what there is, where there is more than one or one is chosen. */
function Pick({ label, name, all, options }) {
  const value = filter.value[name];
  if (options.length < 2 && !value && name !== "tag") return null;
  if (!options.length && !value) return null;
  return html`<span class="gallery-pick">
    <select aria-label=${label} value=${value} data-said=${value !== ""} onChange=${(event) => choose({ [name]: event.target.value })}>
      <option value="">${all}</option>
      ${options.map((option) => html`<option key=${option.value} value=${option.value}>${option.label}</option>`)}
    </select>
  </span>`;
}

function Selection() {
  const chosen = selectedImages.value;
  const ids = [...selected.value];
  const liked = chosen.length > 0 && chosen.every((image) => image.favourite);
  const all = count.value > ids.length;
  return html`<div class="gallery-selection" role="toolbar" aria-label="Selected images">
    <span class="strong" role="status">${images(ids.length)} selected</span>
    ${all && html`<button class="quiet" onClick=${() => needAll().then(() => select(items.value.map((image) => image.id)))}>Select all ${count.value.toLocaleString()}</button>`}
    ${filter.value.trashed
      ? html`<button class="button small" onClick=${() => bringBack(ids)}><${Icon} name="again" /> Bring back</button>
        <button class="button small" onClick=${() => purge(ids)}><${Icon} name="trash" /> Delete for good</button>`
      : html`<button class="button small" onClick=${() => favour(chosen)}><${Icon} name="star" filled=${liked} /> ${liked ? "Not favourite" : "Favourite"}</button>
        <button class="button small" onClick=${() => editTags(chosen)}><${Icon} name="pencil" /> Tags</button>
        <button class="button small" onClick=${() => download(ids)}><${Icon} name="save" /> Download zip</button>
        <button class="button small" onClick=${() => remove(ids)}><${Icon} name="trash" /> Delete</button>`}
    <button class="icon-button" aria-label="Select none" onClick=${() => select([])}><${Icon} name="close" /></button>
  </div>`;
}
