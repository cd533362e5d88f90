/** What the page knows of the server, kept up to date by its events.  Everything is a signal. */
import { api, events, listen } from "./api.js";
import { batch, computed, signal } from "./preact.js";

/** @type {import("./preact.js").Signal} the answer of /api/status, null until it comes */
export const status = signal(null);
export const models = signal([]);
export const choices = signal({ samplers: [], schedules: [], tasks: [], formats: [], axes: [] });
/** Groups of styles: `[{name, styles: [{name, prompt, negative, own}]}]`. */
export const styles = signal([]);
export const wildcards = signal([]);
/** Jobs by id. */
const jobsById = signal(new Map());
/** The newest images, newest first, and how many there are of all. */
export const recent = signal([]);
export const total = signal(0);
/** Of the running jobs: the last `step` event, with `frames`, the previews of its image so far. */
export const progress = signal(new Map());
/** The image on the stage: null for the newest. */
export const chosen = signal(null);

const RECENT = 30;
const KEPT_JOBS = 500; // beyond, those that are done are forgotten, oldest first
const SHOWN_FINISHED = 6;
const byCreated = (a, b) => (a.created < b.created ? 1 : -1);

export const waiting = computed(() => all("waiting").sort((a, b) => a.position - b.position));
export const running = computed(() => all("running"));
/** Failed and cancelled jobs, which somebody may want to try again; newest first. */
export const stopped = computed(() => [...all("failed"), ...all("cancelled")].sort(byCreated).slice(0, SHOWN_FINISHED));

const all = (state) => [...jobsById.value.values()].filter((job) => job.state === state);

/** @param {string} id */
export const jobNamed = (id) => jobsById.value.get(id) ?? null;
/** @param {string} name */
export const modelNamed = (name) => models.value.find((model) => model.name === name) ?? null;
export const allStyles = computed(() => styles.value.flatMap((group) => group.styles));

/** @param {import("./api.js").Job} job */
export function putJob(job) {
  const jobs = new Map(jobsById.value);
  jobs.set(job.id, job);
  if (jobs.size > KEPT_JOBS) jobs.delete([...jobs.values()].find((other) => other.state === "done" && other.id !== job.id)?.id);
  jobsById.value = jobs;
  if (job.state !== "running") forgetProgress(job.id);
}

/** @param {string} id */
export function dropJob(id) {
  const jobs = new Map(jobsById.value);
  jobs.delete(id);
  jobsById.value = jobs;
  forgetProgress(id);
}

/** @param {import("./api.js").Image} image  new, changed, or brought back */
export function putImage(image) {
  if (image.trashed) return;
  gone.delete(image.id);
  const shown = recent.value;
  if (shown.some((other) => other.id === image.id)) {
    recent.value = shown.map((other) => (other.id === image.id ? image : other));
  } else {
    const after = shown.findIndex((other) => other.created <= image.created);
    // Older than all that are shown, it is not new: only something about it is.
    if (after >= 0 || shown.length === total.value) {
      batch(() => {
        recent.value = shown.toSpliced(after < 0 ? shown.length : after, 0, image).slice(0, RECENT);
        total.value += 1;
      });
    }
  }
  if (chosen.value?.id === image.id) chosen.value = image;
}

/** Images that are gone already; the server tells of them as well. */
const gone = new Set();

/** @param {string[]} ids */
export function dropImages(ids) {
  const left = ids.filter((id) => !gone.has(id));
  batch(() => {
    recent.value = recent.value.filter((image) => !ids.includes(image.id));
    total.value = Math.max(0, total.value - left.length);
    left.forEach((id) => gone.add(id));
    if (chosen.value && ids.includes(chosen.value.id)) chosen.value = null;
  });
}

function forgetProgress(id) {
  if (!progress.value.has(id)) return;
  const left = new Map(progress.value);
  left.delete(id);
  progress.value = left;
}

/** The address of the picture of another step, or of another image. @param {string} preview @param {number} step @param {number} [index] */
export function pictured(preview, step, index = undefined) {
  const parts = preview.split("/");
  parts[parts.length - 1] = step;
  if (index !== undefined) parts[parts.length - 2] = index;
  return parts.join("/");
}

function putStep(step) {
  const before = progress.value.get(step.job);
  const frames = before && before.index === step.index && before.step <= step.step ? [...before.frames] : [];
  // Events of steps may be passed over; their pictures are there all the same.
  for (let at = step.step; step.preview && at > 0 && !frames[at - 1]; at -= 1) frames[at - 1] = pictured(step.preview, at);
  progress.value = new Map(progress.value).set(step.job, { ...step, frames });
}

/** Of a job that ran before this page was open: how far it is, until its next step tells more. */
function seen(job) {
  if (progress.value.has(job.id)) return;
  const { id, step, steps, images_done: index, seconds_left } = job;
  const fraction = (index + step / steps) / job.images;
  progress.value = new Map(progress.value).set(id, { job: id, index, step, steps, fraction, seconds_left, images: 1, preview: null, frames: [] });
}

/** Everything anew: at the start, after a break, after a `reset`. */
export async function refresh() {
  const [now, queue, images] = await Promise.all([api.status(), api.jobs({ limit: 200 }), api.images({ limit: RECENT })]);
  gone.clear();
  batch(() => {
    status.value = now;
    jobsById.value = new Map(queue.jobs.map((job) => [job.id, job]));
    progress.value = new Map([...progress.value].filter(([id]) => jobNamed(id)?.state === "running"));
    queue.jobs.filter((job) => job.state === "running" && job.step).forEach(seen);
    recent.value = images.images;
    total.value = images.total;
  });
}

const refreshers = {
  models: async () => { models.value = (await api.models()).models; },
  choices: async () => { choices.value = await api.choices(); },
  styles: async () => { styles.value = (await api.styles()).groups; },
  wildcards: async () => { wildcards.value = (await api.wildcards()).names; },
};

/** Ask again for one list. @param {keyof typeof refreshers} what */
export const reload = (what) => refreshers[what]();

/** The server is asked for everything: at each connection, the first too. */
async function load() {
  const asked = [refresh(), ...Object.values(refreshers).map((ask) => ask())];
  await Promise.allSettled(asked);
}

export function start() {
  const on = (name, act) => events.addEventListener(name, (event) => act(event.detail));
  on("job", (data) => putJob(data.job));
  on("image", (data) => putImage(data.image));
  on("step", putStep);
  on("gone", (data) => {
    if (data.job) dropJob(data.job);
    if (data.images) dropImages(data.images);
  });
  on("queue", (data) => { if (status.value) status.value = { ...status.value, queue: { ...status.value.queue, ...data } }; });
  on("machine", (data) => { if (status.value) status.value = { ...status.value, devices: data.devices }; });
  on("models", () => reload("models").catch(() => {}));
  on("reset", () => refresh().catch(() => {}));
  on("open", load);
  listen();
}
