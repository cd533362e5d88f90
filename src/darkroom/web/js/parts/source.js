/** The images that a wish starts from: the input, what of it is painted, its depths, more to mix. */
import { api } from "../api.js";
import { html, signal } from "../preact.js";
import { recent } from "../state.js";
import { say, take, uploadNamed, useAsInput, wish } from "../wish.js";
import { openDialog } from "./dialog.js";
import { Icon } from "./icons.js";
import { toastError } from "./toast.js";

/** Slots that wait for the server's answer to an upload. */
const sending = signal(new Set());

/** @param {"image"|"mask"|"depth"|"images"} slot @param {Blob} file */
export async function uploadTo(slot, file) {
  sending.value = new Set(sending.value).add(slot);
  try {
    take(slot, await api.upload(file));
  } catch (error) {
    toastError(error);
  } finally {
    const left = new Set(sending.value);
    left.delete(slot);
    sending.value = left;
  }
}

/** A button that asks the system for a file. */
function FileButton({ slot, label, quiet = false }) {
  const pick = (event) => {
    const [file] = event.target.files;
    if (file) uploadTo(slot, file);
    event.target.value = "";
  };
  return html`<label class=${quiet ? "quiet file" : "button small file"}>
    <input class="unseen" type="file" accept="image/*" onChange=${pick} />${label}
  </label>`;
}

export function Source() {
  const { task, image } = wish.value;
  return html`<div class="source">
    ${image ? html`<${Held} />` : html`<${Asked} />`}
    ${task === "depth2img" && image && html`<${Depth} />`}
    ${task === "vary" && image && html`<${Mixed} />`}
  </div>`;
}

/** Nothing yet: three ways to give one. */
function Asked() {
  const busy = sending.value.has("image");
  return html`<div class="source-empty">
    <p>${busy ? "Reading the image" : "Drop or paste an image anywhere"}</p>
    <div class="row wrap">
      <${FileButton} slot="image" label="Choose a file" />
      ${recent.value.length > 0 && html`<button class="button small" onClick=${chooseRecent}>From recent</button>`}
      ${wish.value.task !== "upscale" && html`<button class="button small" onClick=${() => paint("sketch")}>Sketch one</button>`}
    </div>
  </div>`;
}

function Held() {
  const { task, image, mask, extend } = wish.value;
  const upload = uploadNamed(image);
  return html`<div class="source-held">
    <div class="source-picture">
      <img src=${api.uploadUrl(image, 256)} alt="The input image" />
      ${task === "inpaint" && mask && html`<img class="source-mask" src=${api.uploadUrl(mask, 256)} alt="The mask: white is painted" />`}
    </div>
    <div class="source-facts">
      <div class="spread"><span class="strong">Input image</span>
        <button class="icon-button" aria-label="Take the input image away" onClick=${() => say({ image: null, mask: null, depth: null, extend: null, images: null })}><${Icon} name="close" /></button></div>
      <span class="muted small">${upload ? `${upload.width} × ${upload.height}` : ""}${extend ? `, extended by ${extend.join(", ")}` : ""}</span>
      ${task === "inpaint" && html`<span class="small muted">${mask ? "White is painted anew." : extend ? "The new part is painted." : "Paint over what should change."}</span>`}
      <div class="row wrap">
        ${task === "inpaint"
          ? html`<button class=${mask || extend ? "button small" : "button small main"} onClick=${() => paint("mask")}>${mask ? "Change the mask" : "Paint the mask"}</button>
            <button class="button small" onClick=${() => paint("extend")}>Extend</button>`
          : html`<button class="button small" onClick=${() => paint("sketch")}>Paint on it</button>`}
        <${FileButton} slot="image" label="Another" quiet />
        ${task === "inpaint" && html`<${FileButton} slot="mask" label="Mask file" quiet />`}
        ${task === "inpaint" && mask && html`<button class="quiet" onClick=${() => say({ mask: null })}>No mask</button>`}
      </div>
    </div>
  </div>`;
}

const Depth = () => html`<div class="row wrap small">
  <span class="muted">${wish.value.depth ? "Depths are those of a map of yours." : "Depths are measured in the input image."}</span>
  ${wish.value.depth
    ? html`<button class="quiet" onClick=${() => say({ depth: null })}>Measure them</button>`
    : html`<${FileButton} slot="depth" label="Use a depth map" quiet />`}
</div>`;

function Mixed() {
  const images = wish.value.images ?? [];
  const without = (place) => {
    const left = images.filter((_, other) => other !== place);
    say({ images: left.length ? left : null, image_weights: null });
  };
  return html`<div class="row wrap mixed" role="group" aria-label="Images to mix with it">
    ${images.map((id, place) => html`<button key=${`${id}${place}`} class="mixed-image" aria-label=${`Take image ${place + 2} away`} onClick=${() => without(place)}>
      <img src=${api.uploadUrl(id, 128)} alt="" /><${Icon} name="close" /></button>`)}
    <${FileButton} slot="images" label="+ Mix with another" quiet />
  </div>`;
}

const chooseRecent = () => openDialog({ title: "Choose an image", kind: "wide", body: Choice });

function Choice({ close }) {
  const pick = (image) => {
    close();
    useAsInput(image, wish.value.task).catch(toastError);
  };
  return html`<div class="choice">${recent.value.map((image) => html`<button key=${image.id} class="recent-thumb" onClick=${() => pick(image)}>
    <img src=${image.thumbnail} alt=${image.prompt || `Image ${image.id}`} width="128" height="128" loading="lazy" />
  </button>`)}</div>`;
}

/** Open the canvas on the input image, and take what was made there. @param {"sketch"|"mask"|"extend"} purpose */
async function paint(purpose) {
  const { image = null, mask = null, extend = null, width, height } = wish.value;
  const upload = image && uploadNamed(image);
  const { openCanvas } = await import("../canvas/editor.js");
  const made = await openCanvas({
    purpose, image, mask: purpose === "sketch" ? null : mask, extend,
    width: upload?.width ?? width ?? 512, height: upload?.height ?? height ?? 512,
  });
  if (!made) return;
  if (made.image.id !== image) take("image", made.image);
  if (purpose === "sketch" && wish.value.task !== "inpaint") return;
  if (made.mask) take("mask", made.mask);
  else say({ mask: null });
  say({ extend: made.extend });
}
