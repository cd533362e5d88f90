/** An image that is dropped or pasted anywhere: what should become of it? */
import { turnTo } from "../actions.js";
import { api } from "../api.js";
import { html, signal, useEffect } from "../preact.js";
import { go } from "../router.js";
import { say, sayAll, take, wish } from "../wish.js";
import { shortened } from "../words.js";
import { openDialog } from "./dialog.js";
import { Icon } from "./icons.js";
import { toast, toastError } from "./toast.js";

/** @typedef {{program: string, fields: Record<string, unknown>, text: string, remarks: string[]}} Recipe */
/** @typedef {{id: string, width: number, height: number, format: string, notes: string[], recipe: Recipe|null}} Upload */

const PROGRAMS = { darkroom: "Darkroom", a1111: "AUTOMATIC1111", comfyui: "ComfyUI", invokeai: "InvokeAI" };
const MOST_TEXT = 160;

/** What can be done with an upload: [name, icon, title, what it means, what it does]. */
const CHOICES = [
  ["img2img", "image", "Use as input", "A new image begins with this one", (upload) => begin(upload, "img2img")],
  ["sketch", "pencil", "Sketch on it", "Paint over it, then make an image of that", (upload) => paint(upload, "sketch")],
  ["inpaint", "brush", "Inpaint", "Paint where it should change", (upload) => paint(upload, "mask")],
  ["mask", "columns", "Use as mask", "White is painted, black stays", (upload) => { take("mask", upload); turnTo("inpaint"); }],
  ["upscale", "plus", "Upscale", "The same image, four times as wide", (upload) => begin(upload, "upscale")],
  ["vary", "dice", "Vary", "Others that resemble it", (upload) => begin(upload, "vary")],
];

function begin(upload, task) {
  take("image", upload);
  turnTo(task);
}

/** Opens the canvas on an upload, and takes what was painted into the wish. */
export async function paint(upload, purpose) {
  const { openCanvas } = await import("../canvas/editor.js");
  const made = await openCanvas({ purpose, image: upload.id });
  if (!made) return;
  begin(made.image, made.mask || made.extend ? "inpaint" : "img2img");
  if (made.mask) take("mask", made.mask);
  say({ extend: made.extend });
}

/** Uploads an image and asks what it is for. @param {Blob} file */
export async function offerImage(file) {
  let upload;
  try {
    upload = await api.upload(file);
  } catch (error) {
    toastError(error);
    return;
  }
  const act = await openDialog({
    title: "What should become of it?",
    kind: upload.recipe ? "wide" : "",
    body: ({ close }) => html`<${Offer} upload=${upload} close=${close} />`,
  });
  if (!act) return;
  go("create");
  await act(upload);
}

function Offer({ upload, close }) {
  const isMaskOffered = Boolean(wish.value.image);
  // What the recipe remarks of itself stands below it.
  const notes = upload.notes.filter((note) => !upload.recipe?.remarks.includes(note));
  return html`<div class="offer">
    <figure class="offer-image">
      <img src=${api.uploadUrl(upload.id, 320)} alt="The image that came" width=${upload.width} height=${upload.height} />
      <figcaption class="muted small">${upload.width} × ${upload.height} · ${upload.format}</figcaption>
      ${notes.map((note) => html`<p class="muted small">${note}</p>`)}
    </figure>
    <ul class="offer-choices">
      ${CHOICES.filter(([name]) => name !== "mask" || isMaskOffered).map(([name, icon, title, text, act]) => html`
        <li key=${name}><button class="offer-choice" onClick=${() => close(act)}>
          <${Icon} name=${icon} /><span><b>${title}</b><span class="muted small">${text}</span></span>
        </button></li>`)}
    </ul>
    ${upload.recipe ? html`<${Found} recipe=${upload.recipe} close=${close} />`
      : html`<p class="muted small offer-none">It holds no recipe.</p>`}
  </div>`;
}

/** The recipe that the file holds: its settings, and what of them means something else here. */
function Found({ recipe, close }) {
  const program = PROGRAMS[recipe.program.toLowerCase()] ?? recipe.program;
  const fields = Object.entries(recipe.fields).filter(([, value]) => value !== "");
  return html`<section class="offer-recipe card" aria-label="Recipe">
    <div class="spread">
      <h2>Its recipe, by ${program}</h2>
      <button class="button main small" disabled=${fields.length === 0} onClick=${() => close(() => useRecipe(recipe))}>Use these settings</button>
    </div>
    <dl>${fields.map(([name, value]) => html`
      <div key=${name}><dt class="muted">${name.replaceAll("_", " ")}</dt><dd>${shown(value)}</dd></div>`)}</dl>
    ${recipe.remarks.length > 0 && html`<ul class="notice" aria-label="Remarks">${recipe.remarks.map((remark) => html`<li>${remark}</li>`)}</ul>`}
    ${recipe.text && html`<details><summary class="muted small">As it stands in the file</summary><pre tabindex="0">${recipe.text}</pre></details>`}
  </section>`;
}

const shown = (value) => shortened(Array.isArray(value) ? value.join(", ") : String(value), MOST_TEXT);

function useRecipe(recipe) {
  sayAll(recipe.fields);
  toast("Its settings are in the fields.");
}

/** Whether something with a file is being dragged over the page. */
const isOver = signal(false);

/** Watches the whole page for images; shows where to let go. */
export function DropZone() {
  useEffect(() => {
    for (const [name, act] of Object.entries(LISTENERS)) window.addEventListener(name, act);
    return () => {
      for (const [name, act] of Object.entries(LISTENERS)) window.removeEventListener(name, act);
    };
  }, []);
  return isOver.value && html`<div class="drop-veil"><p><${Icon} name="image" /> Let go of the image anywhere</p></div>`;
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;
// A dialog, as the canvas, has its own way with images.
const isBusy = () => document.querySelector("dialog[open]") !== null;

function offerFirst(event, transfer) {
  const files = [...(transfer?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  const images = files.filter((file) => file.type.startsWith("image/"));
  if (images.length === 0) return toast("That is no image.", { hint: "PNG, JPEG, WebP and others are." });
  if (images.length > 1) toast("One image at a time; this is the first.");
  offerImage(images[0]);
}

const LISTENERS = {
  dragover: (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    isOver.value = !isBusy();
  },
  dragleave: (event) => {
    if (event.relatedTarget === null) isOver.value = false;
  },
  drop: (event) => {
    isOver.value = false;
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!isBusy()) offerFirst(event, event.dataTransfer);
  },
  paste: (event) => {
    // Office programs copy words as a picture too: in a field the words are meant.
    if (event.target.matches?.("input, textarea") && event.clipboardData?.types.includes("text/plain")) return;
    if (!isBusy()) offerFirst(event, event.clipboardData);
  },
};
