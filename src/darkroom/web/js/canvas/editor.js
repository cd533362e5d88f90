/**
 * The canvas: paints a sketch or a mask on an image, crops and extends it.
 *
 *     const made = await openCanvas({ purpose: "mask", image: id });
 *     // null where it was left; else { image, mask, extend }
 */
import { api } from "../api.js";
import { ask, openDialog } from "../parts/dialog.js";
import { toast, toastError } from "../parts/toast.js";
import { html, useEffect, useRef, useState } from "../preact.js";
import { NO_SIDES } from "./area.js";
import { Easel } from "./easel.js";
import { press } from "./keys.js";
import { askForGround } from "./new_canvas.js";
import { Picture, plain } from "./picture.js";
import { watchPointers } from "./pointers.js";
import { Actions, Options, Tools } from "./toolbar.js";

/** @typedef {{id: string, width: number, height: number}} Upload */
/** @typedef {[number, number, number, number]} Sides  pixels added left, above, right, below */

/**
 * @param {{purpose?: "sketch"|"mask"|"extend", image?: string|null, mask?: string|null,
 *   extend?: Sides|null, width?: number, height?: number}} wish  `image`, `mask`: ids of uploads;
 *   without an image an empty canvas is offered, of the size that is suggested
 * @returns {Promise<{image: Upload, mask: Upload|null, extend: Sides|null}|null>}
 *   `mask` is white where to paint and of the image's size
 */
export async function openCanvas({ purpose = "sketch", image = null, mask = null, extend = null, width = 512, height = 512 } = {}) {
  let picture;
  if (image === null) {
    const ground = await askForGround({ width, height });
    if (!ground) return null;
    picture = new Picture(plain(ground.width, ground.height, ground.colour));
  } else {
    try {
      const [base, strokes] = await Promise.all([bitmapOf(image), mask === null ? null : bitmapOf(mask)]);
      picture = new Picture(base, strokes);
    } catch (error) {
      toastError(error);
      return null;
    }
  }
  const easel = new Easel(picture, themeColours());
  easel.layer.value = purpose === "sketch" ? "sketch" : "mask";
  easel.tool.value = purpose === "extend" ? "extend" : "brush";
  easel.extend.value = extend ?? NO_SIDES;
  return openDialog({
    title: "Canvas",
    kind: "full easel",
    leave: () => mayLeave(easel),
    body: ({ close }) => html`<${Editor} easel=${easel} image=${image} close=${close} />`,
  });
}

function Editor({ easel, image, close }) {
  const canvas = useRef(null);
  const space = useRef(false);
  const [isSaving, setSaving] = useState(false);
  const tools = useRef(null);

  const busy = useRef(false); // at once: keys may come twice before the next drawing
  const save = async () => {
    if (busy.current) return;
    busy.current = true;
    setSaving(true);
    try {
      close(await saved(easel, image));
    } catch (error) {
      busy.current = false;
      setSaving(false);
      toastError(error);
    }
  };
  const anew = async () => {
    const ground = await askForGround(easel.picture);
    if (ground) easel.startAnew(ground.width, ground.height, ground.colour);
  };

  useEffect(() => easel.show(canvas.current), []);
  useEffect(() => watchPointers(canvas.current, easel, () => space.current || easel.tool.value === "move"), []);
  useEffect(() => watchKeys(tools.current.closest("dialog"), easel, space, save), []);
  useEffect(() => watchPaste(easel), []);
  // Read, so that the buttons are drawn anew after each change.
  const changes = easel.changes.value;

  return html`<div class="easel-room" ref=${tools} data-changes=${changes}>
    <${Tools} easel=${easel} />
    <${Options} easel=${easel} />
    <canvas class="easel-canvas" ref=${canvas} tabindex="0" data-tool=${easel.tool.value} role="img"
      aria-label=${`Canvas of ${easel.picture.width} × ${easel.picture.height}. Arrow keys move the brush, Enter paints.`}></canvas>
    <div class="unseen" role="status" aria-label="What was done">${easel.said.value}</div>
    <div class="easel-foot">
      <${Actions} easel=${easel} onNew=${anew} onPaste=${() => pasteFromClipboard(easel)} />
      <button class="button main" disabled=${isSaving} onClick=${save}>
        ${isSaving ? "Saving" : "Use it"} <kbd>Ctrl ⏎</kbd>
      </button>
    </div>
  </div>`;
}

/** Uploads what is new; what was not touched keeps its id. */
async function saved({ picture, extend }, image) {
  const { width, height } = picture;
  const isNew = image === null || picture.isImageChanged;
  const [uploaded, mask] = await Promise.all([
    isNew ? picture.imageFile().then((file) => api.upload(file, image)) : { id: image, width, height },
    picture.isMasked ? picture.maskFile().then(api.upload) : null,
  ]);
  return { image: uploaded, mask, extend: extend.value.some((side) => side > 0) ? extend.value : null };
}

async function mayLeave({ picture }) {
  if (!picture.history.canUndo) return true;
  return ask({
    title: "Leave the canvas",
    text: "What you painted here is not used yet.",
    yes: "Leave it",
    no: "Go on painting",
  });
}

/** Keys work wherever the focus is within the dialog; Space pans while it is held. */
function watchKeys(dialog, easel, space, save) {
  const down = (event) => {
    if (event.defaultPrevented) return;
    if (event.key === " " && event.target.matches("canvas")) space.current = true;
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    else if (!press(easel, event)) return;
    event.preventDefault();
    event.stopPropagation();
    easel.redraw();
  };
  const up = (event) => {
    if (event.key === " ") space.current = false;
  };
  dialog.addEventListener("keydown", down);
  dialog.addEventListener("keyup", up);
  return () => {
    dialog.removeEventListener("keydown", down);
    dialog.removeEventListener("keyup", up);
  };
}

/** An image that is pasted, or dropped, goes into the middle of the sketch. */
function watchPaste(easel) {
  const take = (event) => {
    const { files } = event.clipboardData ?? event.dataTransfer ?? { files: [] };
    const file = [...files].find((each) => each.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    pasteFile(easel, file);
  };
  for (const name of ["paste", "drop"]) window.addEventListener(name, take);
  return () => {
    for (const name of ["paste", "drop"]) window.removeEventListener(name, take);
  };
}

async function pasteFile(easel, file) {
  try {
    easel.paste(await createImageBitmap(file));
  } catch {
    toast("The browser cannot read that image.");
  }
}

async function pasteFromClipboard(easel) {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith("image/"));
      if (type) return pasteFile(easel, await item.getType(type));
    }
    toast("The clipboard holds no image.");
  } catch {
    toast("The browser does not show the clipboard here.", { hint: "Press Ctrl V on the canvas." });
  }
}

async function bitmapOf(id) {
  const answer = await fetch(api.uploadUrl(id));
  if (!answer.ok) throw new Error("The image could not be loaded.");
  return createImageBitmap(await answer.blob());
}

function themeColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { accent: of("accent"), surface: of("surface"), line: of("line") };
}
