/** What can be done with a finished image, wherever it is shown. */
import { ApiError, api } from "./api.js";
import { compared, run, show } from "./running.js";
import { toast, trying } from "./parts/toast.js";
import { askForSteps } from "./parts/more_steps.js";
import { go } from "./router.js";
import { written } from "./seeds.js";
import { dropImages, models, putImage, recent, refresh } from "./state.js";
import { modelTitle } from "./words.js";
import { ABLE, modelName, say, sayAll, useAsInput as asInput } from "./wish.js";

/** @typedef {import("./api.js").Image} Image */

const SIMILAR = 4; // images at once
const MAX_STEPS = 1000;

/** The model in use where it can do the task, else the first that can, else null. @param {string} task */
export function modelFor(task) {
  const able = models.value.filter((model) => ABLE[model.task]?.includes(task));
  return able.find((model) => model.name === modelName.value) ?? able[0] ?? null;
}

/** Turn to a task, with a model that can do it where there is one. @param {string} task */
export function turnTo(task) {
  const model = modelFor(task);
  const current = modelName.value;
  say({ task, ...(model && model.name !== current ? { model: model.name } : {}) });
  if (model && model.name !== current) toast(`${modelTitle(model.name)} is the model for this.`);
}

async function toInput(image, task) {
  await asInput(image);
  turnTo(task);
  go("create");
}

export const useAsInput = trying((image) => toInput(image, "img2img"));
export const inpaint = trying((image) => toInput(image, "inpaint"));
export const vary = trying((image) => toInput(image, modelFor("vary") ? "vary" : "img2img"));

export const upscale = trying(async (image) => {
  const model = modelFor("upscale");
  if (!model) {
    toast("No upscaler is installed.", { hint: "The Models page can fetch one.", action: "Models", act: () => go("models") });
    return;
  }
  const { id } = await api.asInput(image.id);
  go("create");
  await run({ task: "upscale", model: model.name, image: id, prompt: image.prompt });
});

/** The wish that makes this very image again. @param {Image} image @returns {Promise<Record<string, unknown>>} */
export async function wishOf(image) {
  const { request } = await api.image(image.id);
  if (!request) throw new ApiError(0, "This image holds no recipe.", "It was made in private; only its seed is known.");
  return request;
}

/** Its wish in the form, to be changed and run again. */
export const load = trying(async (image) => {
  sayAll(await wishOf(image));
  go("create");
});

/** The same wish with other seeds; the form stays as it is. */
export const similar = trying(async (image) => {
  const { seed: _, ...wish } = await wishOf(image);
  go("create");
  await run({ ...wish, count: SIMILAR });
});

/** The same image, developed for longer: how much longer is asked. @param {Image} image */
export const moreSteps = trying(async (image) => {
  const wish = await wishOf(image);
  const steps = await askForSteps({ before: wish.steps ?? (image.steps || 20), most: MAX_STEPS });
  if (steps === null) return;
  go("create");
  await run({ ...wish, steps });
});

/** @param {string} text @param {string} what */
export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied.`);
  } catch {
    toast("The browser does not let the page copy.", { hint: text });
  }
}

export const copySeed = (image) => copyText(String(image.seed), "Seed");

/** @param {Image} image @param {"command"|"python"|"http"|"json"} form */
export const copySaying = trying(async (image, form) => {
  const { sayings, recipe } = await api.image(image.id);
  const text = form === "json" ? written(recipe, 2) : sayings[form];
  await copyText(text, { command: "Command", python: "Python", http: "Request", json: "Recipe" }[form]);
});

/** @param {Image} image */
export function download(image) {
  const link = document.createElement("a");
  link.href = api.fileUrl(image.id, true);
  link.download = "";
  document.body.append(link);
  link.click();
  link.remove();
}

/** The image as it is then, null where it failed. @param {Image} image */
export const favourite = trying(async (image) => {
  const changed = { ...image, favourite: !image.favourite };
  putImage(changed);
  try {
    await api.change(image.id, { favourite: changed.favourite });
  } catch (error) {
    putImage(image);
    throw error;
  }
  return changed;
});

/** To the trash, and back where it was a mistake; null where it failed. @param {Image[]} images */
export const trash = trying(async (images) => {
  const ids = images.map((image) => image.id);
  await api.remove(ids);
  dropImages(ids);
  const text = ids.length === 1 ? "Image deleted." : `${ids.length} images deleted.`;
  const undo = trying(async () => { await api.restore(ids); await refresh(); });
  toast(text, { action: "Undo", act: undo });
  return ids;
});

/** The slider between this image and another: its input, or the one before. @param {Image} image */
export const compareWith = trying(async (image) => {
  show(image);
  const { parents } = await api.image(image.id);
  const place = recent.value.findIndex((other) => other.id === image.id);
  const [input] = parents;
  const other = input ?? recent.value[place + 1] ?? recent.value[place - 1];
  if (!other) toast("There is no other image to compare with yet.");
  else compared.value = { image: other, label: input ? "Input" : "Other" };
  go("create");
});

/**
 * All of it, for menus.  `bar`: among the first.
 * @param {Image} image @returns {{name: string, label: string, icon: string, bar?: boolean, act: () => void}[]}
 */
export const imageActions = (image) => [
  { name: "input", label: "Use as input", icon: "image", bar: true, act: () => useAsInput(image) },
  { name: "inpaint", label: "Inpaint", icon: "brush", bar: true, act: () => inpaint(image) },
  { name: "upscale", label: "Upscale ×4", icon: "plus", bar: true, act: () => upscale(image) },
  { name: "vary", label: "Vary", icon: "again", bar: true, act: () => vary(image) },
  { name: "compare", label: "Compare", icon: "columns", bar: true, act: () => compareWith(image) },
  { name: "save", label: "Save", icon: "save", bar: true, act: () => download(image) },
  { name: "similar", label: "Make similar", icon: "grid", act: () => similar(image) },
  { name: "more", label: "Again with more steps", icon: "plus", act: () => moreSteps(image) },
  { name: "load", label: "Load its wish", icon: "pencil", act: () => load(image) },
  { name: "favourite", label: image.favourite ? "No favourite" : "Favourite", icon: "star", act: () => favourite(image) },
  { name: "seed", label: "Copy seed", icon: "copy", act: () => copySeed(image) },
  { name: "command", label: "Copy as command", icon: "copy", act: () => copySaying(image, "command") },
  { name: "python", label: "Copy as Python", icon: "copy", act: () => copySaying(image, "python") },
  { name: "json", label: "Copy as JSON", icon: "copy", act: () => copySaying(image, "json") },
  { name: "details", label: "Details", icon: "question", act: () => go("image", image.id) },
  { name: "delete", label: "Delete", icon: "trash", act: () => trash([image]) },
];
