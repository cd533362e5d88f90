/** What the server says of the wish before it is run: the plan, and how the model reads its words. */
import { api, online } from "./api.js";
import { computed, effect, signal } from "./preact.js";
import { modelNamed, models } from "./state.js";
import { modelTitle } from "./words.js";
import { ABLE, TASKS, chosenStyles, modelName, request, takes, wish } from "./wish.js";

/** `plan`: the last good answer; `error`: the refusal of the current wish; `asking`: neither yet. */
export const planning = signal({ plan: null, error: null, asking: true });
/** `prompt` and `negative` as the model reads them, null until it is known. */
export const meter = signal(null);

/** Fields as the plan resolves them; empty until there is a plan. */
export const resolved = computed(() => planning.value.plan?.resolved ?? {});

/** What holds where neither the plan nor the model's own defaults tell it yet. */
const HOUSE = {
  img2img: { strength: 0.75, image_guidance: 1.5 }, inpaint: { strength: 1 }, depth2img: { strength: 0.9 },
  upscale: { noise_level: 20 }, vary: { noise_level: 0 },
};

/** What a field holds where it is not said. @param {string} field */
export function usual(field) {
  const { task } = wish.value;
  if (wish.value[field] === undefined && planning.value.plan?.task === task && resolved.value[field] !== null) return resolved.value[field];
  return modelNamed(modelName.value)?.defaults?.[field] ?? HOUSE[task]?.[field] ?? undefined;
}

/** What the wish still lacks, in the shape of a refusal; the server need not be asked. */
export const lacking = computed(() => {
  const { task, image } = wish.value;
  const able = models.value.filter((model) => ABLE[model.task]?.includes(task));
  const held = modelNamed(modelName.value);
  const called = TASKS.find(({ name }) => name === task).title;
  if (models.value.length && !able.length) return { message: `No installed model can do this: ${called}.`, hint: "The Models page can fetch one.", page: "models" };
  if (held && !able.includes(held)) return { message: `${modelTitle(held.name)} cannot do this: ${called}.`, hint: `Choose another model, such as ${modelTitle(able[0].name)}.` };
  if (!takes("image", task) || image) return null;
  return { message: "An image comes first.", hint: "Drop one anywhere, choose a file, or take one of your own." };
});

/**
 * Ask anew a moment after `question` changed, unless it is null; an older answer never replaces a newer one.
 * @template Q @param {() => Q|null} question @param {number} wait @param {(q: Q, stop: AbortSignal) => Promise<void>} ask
 * @returns {() => void} what ends it
 */
export function follow(question, wait, ask) {
  let before;
  let timer;
  let stop = new AbortController();
  const end = effect(() => {
    const now = question();
    const text = JSON.stringify(now) + online.value;
    if (now === null || text === before || !online.value) return;
    before = text;
    clearTimeout(timer);
    timer = setTimeout(() => {
      stop.abort();
      stop = new AbortController();
      const { signal: mine } = stop;
      ask(now, mine).catch(() => {});
    }, wait);
  });
  return () => {
    end();
    clearTimeout(timer);
    stop.abort();
  };
}

async function askPlan(body, stop) {
  const refused = (error) => { if (!stop.aborted && error.status !== 0) planning.value = { ...planning.value, error, asking: false }; };
  planning.value = { ...planning.value, asking: true };
  try {
    const plan = await api.plan(body, stop, refused);
    if (!stop.aborted) planning.value = { plan: { ...plan, task: body.request.task }, error: null, asking: false };
  } catch (error) {
    refused(error);
  }
}

async function askTokens(body, stop) {
  const answer = await api.tokens(body, stop);
  if (!stop.aborted) meter.value = answer;
}

/** Follow the wish for as long as the page is open. */
export function followWish() {
  follow(() => (lacking.value ? null : { request: request.value, styles: chosenStyles.value }), 220, askPlan);
  follow(() => {
    const { prompt, negative, prompt_syntax } = wish.value;
    return { model: modelName.value, prompt, negative, ...(prompt_syntax ? { prompt_syntax } : {}) };
  }, 160, askTokens);
}
