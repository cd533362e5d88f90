/** One image: the picture, its film, its recipe, where it comes from, and all that can be done with it. */
import { favourite, imageActions, trash } from "../actions.js";
import { api, events } from "../api.js";
import { neighbours, open } from "../gallery/collection.js";
import { tag } from "../gallery/deeds.js";
import { Tags } from "../gallery/tags.js";
import { History, Lineage, Sayings } from "../image/aside.js";
import { Film } from "../image/film.js";
import { RecipeTable } from "../image/recipe.js";
import { CompareSlider } from "../parts/compare_slider.js";
import { openDialog } from "../parts/dialog.js";
import { Icon } from "../parts/icons.js";
import { toastError } from "../parts/toast.js";
import { html, useEffect, useLayoutEffect, useState } from "../preact.js";
import { go, href } from "../router.js";
import { recent } from "../state.js";
import { shortened } from "../words.js";

const ELSEWHERE = ["details", "seed", "command", "python", "json"]; // stand in the recipe and below it
const OTHERS = 24; // images to choose from for a comparison

/** The answer of the server for an image, asked again when its job or its marks change. */
function useImage(id) {
  const [found, setFound] = useState({ id: null });
  const ask = () => api.image(id).then((answer) => setFound({ id, ...answer }), (error) => setFound({ id, error }));
  useEffect(() => {
    ask();
    const changed = (event) => {
      const { image } = event.detail;
      if (image.id === id) setFound((was) => ({ ...was, image }));
    };
    const gone = ({ detail: { images } }) => { if (images?.includes(id)) ask(); };
    const told = [["image", changed], ["gone", gone], ["open", ask]];
    for (const [name, act] of told) events.addEventListener(name, act);
    return () => { for (const [name, act] of told) events.removeEventListener(name, act); };
  }, [id]);
  const put = (image) => setFound((was) => ({ ...was, image }));
  return [found.id === id ? found : { id: null }, put, ask];
}

export default function ImagePage({ route }) {
  const [found, put, ask] = useImage(route.id);
  const [other, setOther] = useState(null);
  useEffect(open, []);
  useEffect(() => setOther(null), [route.id]);
  const { image, error } = found;
  const near = neighbours(route.id);
  useKeys({ image, ...near, put, other, setOther });
  if (error) return html`<${Missing} error=${error} again=${ask} />`;
  if (!image) return html`<div class="image-page" aria-busy="true"><div class="exhibit-room"><div class="exhibit-waits"></div></div></div>`;
  return html`<${Shown} key=${image.id} found=${found} put=${put} ask=${ask} near=${near} other=${other} setOther=${setOther} />`;
}

function Missing({ error, again }) {
  return html`<div class="place-empty" role="alert">
    <h1>${error.status === 404 ? "This image is not here" : "The image could not be loaded"}</h1>
    <p>${error.status === 404 ? "It may have been deleted for good." : `${error.message} ${error.hint}`}</p>
    <div class="row"><a class="button" href=${href("gallery")}>Go to the gallery</a>
      ${error.status !== 404 && html`<button class="button" onClick=${again}>Try again</button>`}</div>
  </div>`;
}

function Shown({ found, put, ask, near: { before, after }, other, setOther }) {
  const { image, recipe, parents = [], children = [], sayings, history } = found;
  const [step, setStep] = useState(null);
  const compare = async () => {
    const chosen = await chooseOther(image, parents);
    if (chosen) setOther(chosen);
  };
  const actions = actionsOf({ image, put, compare, before, after });
  return html`<div class="image-page">
    <h1 class="unseen">${image.prompt || "Image"}</h1>
    <div class="exhibit-room">
      <div class="exhibit-top">
        <a class="quiet" href=${href("gallery")}><${Icon} name="left" /> Gallery</a>
        <span class="row">
          <button class="icon-button" aria-label="Image before" disabled=${!before} onClick=${() => go("image", before.id, {}, { replace: true })}><${Icon} name="left" /></button>
          <button class="icon-button" aria-label="Image after" disabled=${!after} onClick=${() => go("image", after.id, {}, { replace: true })}><${Icon} name="right" /></button>
        </span>
      </div>
      <${Picture} image=${image} step=${step} other=${other} />
      ${other && html`<div class="exhibit-under"><span class="muted small">Compared with ${other.name}</span><button class="button small" onClick=${() => setOther(null)}>End the comparison</button></div>`}
      <div class="exhibit-bar" role="toolbar" aria-label="What to do with the image">
        ${actions.filter((action) => action.bar).map((action) => html`<button class="quiet" key=${action.name} onClick=${action.act}>${action.label}</button>`)}
      </div>
      ${!other && html`<${Film} image=${image} step=${step} onStep=${setStep} />`}
    </div>
    <div class="image-aside">
      ${image.trashed && html`<div class="notice"><b>This image is in the trash.</b>
        <button class="button small" onClick=${() => api.restore([image.id]).then(ask, toastError)}>Bring it back</button></div>`}
      <section class="image-part" aria-label="Prompt">
        <p class="image-prompt" dir="auto">${image.prompt || html`<span class="muted">without a prompt</span>`}</p>
        ${image.negative && html`<p class="muted"><span class="label">Negative</span> <bdi>${image.negative}</bdi></p>`}
        <p class="muted small">${new Date(image.created).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" })}</p>
      </section>
      <section class="image-part" aria-label="More to do with the image">
        <div class="image-deeds">${actions.filter((action) => !action.bar).map((action) => html`<button class="button small" key=${action.name} onClick=${action.act}>
          <${Icon} name=${action.icon} filled=${action.name === "favourite" && image.favourite} /> ${action.label}</button>`)}</div>
        <${Tags} tags=${image.tags} onAdd=${(names) => tag([image], names, []).then(ask)} onTake=${(name) => tag([image], [], [name]).then(ask)} />
      </section>
      <section class="image-part" aria-label="Recipe"><h3>Recipe</h3><${RecipeTable} image=${image} recipe=${recipe} /></section>
      <${Lineage} parents=${parents} children=${children} />
      <${Sayings} sayings=${sayings} recipe=${recipe} />
      <${History} history=${history} />
    </div>
  </div>`;
}

function Picture({ image, step, other }) {
  const ratio = { "--ratio": image.width / image.height, "--least": `${Math.max(image.width, 512)}px` };
  if (other) {
    return html`<div class="exhibit" style=${ratio}><div class="versus"><${CompareSlider} before=${other.url} after=${api.fileUrl(image.id)} labels=${[other.name, "this image"]} /></div></div>`;
  }
  const source = step === null ? api.fileUrl(image.id) : api.filmUrl(image.id, step);
  return html`<div class="exhibit" style=${ratio}>
    <img src=${source} alt=${image.prompt || "The image"} width=${image.width} height=${image.height} class=${image.width < 384 ? "exhibit-image small" : "exhibit-image"} />
  </div>`;
}

/** The house's list for images, where this page does some of it in place. */
function actionsOf({ image, put, compare, before, after }) {
  const here = {
    compare,
    favourite: () => like(image, put),
    delete: async () => {
      if (!(await trash([image]))) return;
      const next = after ?? before;
      if (next) go("image", next.id, {}, { replace: true });
      else go("gallery");
    },
  };
  return imageActions(image)
    .filter((action) => !ELSEWHERE.includes(action.name))
    .map((action) => (here[action.name] ? { ...action, act: here[action.name] } : action));
}

async function like(image, put) {
  const changed = await favourite(image);
  if (changed) put(changed);
}

/** Left and right to the neighbours, F for favourite, Delete, Escape back. */
function useKeys({ image, before, after, put, other, setOther }) {
  useLayoutEffect(() => {
    const onKey = (event) => {
      if (event.target.closest("input, textarea, select, dialog, [role=listbox]") || event.ctrlKey || event.metaKey || event.altKey) return;
      const acts = {
        ArrowLeft: () => before && go("image", before.id, {}, { replace: true }),
        ArrowRight: () => after && go("image", after.id, {}, { replace: true }),
        f: () => { if (image) like(image, put); },
        Escape: () => (other ? setOther(null) : go("gallery")),
      };
      if (acts[event.key] && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        acts[event.key]();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [image, before?.id, after?.id, other]);
}

/** Its input, what it was made from, or one of the newest. @returns {Promise<{url: string, name: string}|null>} */
function chooseOther(image, parents) {
  const near = recent.value.filter((each) => each.id !== image.id && !parents.some((parent) => parent.id === each.id)).slice(0, OTHERS);
  const pick = (close, each, name) => html`<button class="thumb-pick" key=${each.id} aria-label=${`Compare with: ${each.prompt || name}`} onClick=${() => close({ url: api.fileUrl(each.id), name })}>
    <img src=${api.thumbnailUrl(each.id, 128)} alt="" width="88" height="88" /></button>`;
  return openDialog({
    title: "Compare with",
    body: ({ close }) => html`
      ${parents.length > 0 && html`<h3>What it was made from</h3><div class="thumb-picks">${parents.map((each) => pick(close, each, "its input"))}</div>`}
      ${near.length > 0 && html`<h3>Newest images</h3><div class="thumb-picks">${near.map((each) => pick(close, each, shortened(each.prompt, 40) || "another image"))}</div>`}
      ${!parents.length && !near.length && html`<p class="muted">There is no other image yet.</p>`}`,
  });
}
