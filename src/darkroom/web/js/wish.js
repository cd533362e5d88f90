/**
 * What the person wishes: the fields of Create, kept over reloads, and the Request made of them.
 *
 * Only what was said stands in `wish`; what is not said is shown as the plan resolves it.  Fields
 * of other tasks stay (nobody types twice), and are left out of the request.
 */
import { api } from "./api.js";
import { keep, kept, keptByAny } from "./kept.js";
import { batch, computed, effect, signal } from "./preact.js";
import { allStyles, choices, modelNamed, status } from "./state.js";

/** @typedef {{id: string, width: number, height: number}} Upload */

const EDITS = ["img2img", "inpaint", "depth2img"];
const WITH_IMAGE = [...EDITS, "upscale", "vary"];
const PAINTING = ["mask", "mask_invert", "mask_grow", "mask_blur", "fill", "region", "region_padding", "extend"];
const HIRES = ["hires", "hires_strength", "hires_steps", "hires_enlarger"];

/** The tasks that take a field, where not all do. */
const TAKEN = {
  image: WITH_IMAGE, strength: EDITS, depth: ["depth2img"], noise_level: ["upscale", "vary"],
  images: ["vary"], image_weights: ["vary"], image_guidance: ["img2img"],
  ...Object.fromEntries(PAINTING.map((name) => [name, ["inpaint"]])),
  ...Object.fromEntries(HIRES.map((name) => [name, ["txt2img"]])),
};

/** What the models are made for, and the tasks that they can do. */
export const ABLE = {
  txt2img: ["txt2img", "img2img", "inpaint"], inpaint: ["inpaint"], depth2img: ["depth2img"],
  upscale: ["upscale"], vary: ["vary"], pix2pix: ["img2img"],
};

export const TASKS = [
  { name: "txt2img", title: "Text", verb: "Generate" },
  { name: "img2img", title: "Image", verb: "Generate" },
  { name: "inpaint", title: "Inpaint", verb: "Paint" },
  { name: "depth2img", title: "Depth", verb: "Generate" },
  { name: "upscale", title: "Upscale", verb: "Upscale" },
  { name: "vary", title: "Vary", verb: "Vary" },
];

/** Whether a field can be said with a task. @param {string} field @param {string} task */
export const takes = (field, task) => TAKEN[field]?.includes(task) ?? true;

const KEY = "darkroom.wish";
const EMPTY = { task: "txt2img", prompt: "", negative: "", count: 1 };

const BESIDE = "darkroom.beside";
const NOTHING_BESIDE = { styles: [], prompts: [], sizes: [], uploads: {} };

const isWish = ({ task, prompt, negative }) => TASKS.some(({ name }) => name === task) && typeof prompt === "string" && typeof negative === "string";
const isBeside = ({ styles, prompts, sizes, uploads }) => [styles, prompts, sizes].every(Array.isArray) && uploads !== null && typeof uploads === "object";

/** The fields of a Request that were said. */
export const wish = signal(kept(KEY, EMPTY, isWish));
/** What belongs to the wish and is no field: names of styles, prompts and sizes used before, sizes of inputs. */
export const beside = signal(kept(BESIDE, NOTHING_BESIDE, isBeside));
effect(() => keep(KEY, wish.value));
effect(() => keep(BESIDE, beside.value));

/** Say fields; `null` or `undefined` takes a field back. @param {Record<string, unknown>} changes */
export function say(changes) {
  const next = { ...wish.value, ...changes };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined) delete next[name];
  }
  wish.value = { ...EMPTY, ...next };
}

/** The model in use: the one said, or the one that the settings name. */
export const modelName = computed(() => wish.value.model ?? status.value?.defaults?.model ?? "mini");

/** Said nowhere, shown nowhere: takes all back but task, prompt and model. */
export function sayNothing() {
  const { task, prompt, negative, model, image, mask, images, depth } = wish.value;
  wish.value = { ...EMPTY };
  say({ task, prompt, negative, model, image, mask, images, depth });
}

/** The sampler that a run would take, as the server describes it. */
export const samplerInUse = computed(() => {
  const name = wish.value.sampler ?? modelNamed(modelName.value)?.defaults?.sampler ?? "dpmpp_2m";
  return choices.value.samplers.find((sampler) => sampler.name === name) ?? null;
});

/** Fields that mean nothing without another, and when they do mean something. */
const NEEDS = {
  ...Object.fromEntries(["hires_strength", "hires_steps", "hires_enlarger"].map((name) => [name, (said) => said.hires !== undefined])),
  ...Object.fromEntries(["mask", "depth", "images", "extend"].map((name) => [name, (said) => Boolean(said.image)])),
  image_weights: (said) => said.images?.length > 0,
  image_guidance: () => modelNamed(modelName.value)?.task === "pix2pix",
  region_padding: (said) => said.region === "masked",
  variation_seed: (said) => said.variation_strength !== undefined,
  eta: () => samplerTakes("eta"),
  ...Object.fromEntries(["churn", "churn_start", "churn_end"].map((name) => [name, () => samplerTakes("churn")])),
  schedule: (said) => samplerInUse.value?.schedules?.includes(said.schedule) ?? true,
};

/** @param {"eta"|"churn"} what */
export const samplerTakes = (what) => samplerInUse.value?.takes?.includes(what) ?? false;

/** The wish as a Request: only what its task, its model and its other fields take. */
export const request = computed(() => {
  const all = wish.value;
  const fits = ([name]) => takes(name, all.task) && (NEEDS[name]?.(all) ?? true);
  return { ...Object.fromEntries(Object.entries(all).filter(fits)), model: modelName.value };
});

/** The styles chosen that exist. */
export const chosenStyles = computed(() => {
  const known = new Set(allStyles.value.map((style) => style.name));
  return beside.value.styles.filter((name) => known.has(name));
});

/** @param {string} name */
export function toggleStyle(name) {
  const { styles } = beside.value;
  const others = styles.filter((other) => other !== name);
  beside.value = { ...beside.value, styles: others.length < styles.length ? others : [...styles, name] };
}

/**
 * Take an upload as the image, mask or depth map of the wish, or as one more image to mix.
 * @param {"image"|"mask"|"depth"|"images"} slot @param {Upload} upload @param {string} [task]
 */
export function take(slot, upload, task = undefined) {
  const { id, width, height } = upload;
  batch(() => {
    const { image, mask, depth, images = [] } = wish.value;
    const used = Object.entries(beside.value.uploads).filter(([name]) => [image, mask, depth, ...images].includes(name));
    beside.value = { ...beside.value, uploads: { ...Object.fromEntries(used), [id]: { id, width, height } } };
    if (slot === "images") say({ images: [...(wish.value.images ?? []), id] });
    else say({ [slot]: id, ...(slot === "image" ? { mask: null, extend: null, depth: null } : {}) });
    if (task) say({ task });
  });
}

/** Size of an upload that the wish uses. @param {string} id @returns {Upload|null} */
export const uploadNamed = (id) => beside.value.uploads[id] ?? null;

/** A finished image becomes the input, of another task where one is said. @param {import("./api.js").Image} image @param {string} [task] */
export async function useAsInput(image, task = undefined) {
  const { id } = await api.asInput(image.id);
  take("image", { id, width: image.width, height: image.height }, task);
}

/** Everything that a recipe or a request says. @param {Record<string, unknown>} fields */
export function sayAll(fields) {
  batch(() => {
    wish.value = { ...EMPTY };
    say(fields);
    beside.value = { ...beside.value, styles: [] };
  });
}

/** Remember what was run: its prompt and its size. */
export function remember() {
  const { sizes } = beside.value;
  const { prompt, negative, width, height } = wish.value;
  // Those of other tabs as well.
  const { prompts } = keptByAny(BESIDE, beside.value, isBeside);
  const rest = prompts.filter((other) => other.prompt !== prompt || other.negative !== negative);
  const size = width && height ? `${width}×${height}` : null;
  beside.value = {
    ...beside.value,
    prompts: prompt.trim() ? [{ prompt, negative }, ...rest].slice(0, 50) : prompts,
    sizes: size ? [size, ...sizes.filter((other) => other !== size)].slice(0, 4) : sizes,
  };
}
