/** What can be done with jobs. */
import { api } from "./api.js";
import { ask } from "./parts/dialog.js";
import { toast, trying } from "./parts/toast.js";
import { dropJob, putJob, refresh, status, waiting } from "./state.js";
import { counted } from "./words.js";

/** @typedef {import("./api.js").Job} Job */

const changed = (answer) => { if (answer?.job) putJob(answer.job); };

export const cancelJob = trying(async (job) => changed(await api.cancel(job.id)));
export const retryJob = trying(async (job) => changed(await api.retry(job.id)));
export const skipImage = trying(async (job) => changed(await api.skip(job.id)));
export const forgetJob = trying(async (job) => { await api.removeJob(job.id); dropJob(job.id); });

export const pauseQueue = trying(async (paused) => {
  await api.pause(paused);
  status.value = { ...status.value, queue: { ...status.value.queue, paused } };
});

const ASKED_FROM = 6; // jobs; fewer stand in the queue as cancelled, and can be run again there

export const clearWaiting = trying(async () => {
  const many = Math.max(waiting.value.length, status.value?.queue.waiting ?? 0);
  if (many > ASKED_FROM && !(await ask({ title: `Cancel all ${many.toLocaleString("en")} waiting jobs?`, text: "Images that are made already stay.", yes: "Cancel them" }))) return;
  const { jobs } = await api.clear("waiting");
  await refresh();
  toast(`${counted(jobs, "job")} cancelled.`);
});

/** What failed or was cancelled is forgotten; images stay. */
export const clearStopped = trying(async () => {
  await api.clear("finished");
  await refresh();
});

/** One place earlier or later, or before another job. @param {Job} job @param {string|null} before */
export const moveJob = trying(async (job, before) => {
  await api.move(job.id, before);
  await refresh();
});

/** @param {Job} job @param {-1|1} way */
export function moveBy(job, way) {
  const queue = waiting.value;
  const at = queue.findIndex((other) => other.id === job.id);
  const to = at + way;
  if (to < 0 || to >= queue.length) return;
  moveJob(job, way < 0 ? queue[to].id : queue[to + 1]?.id ?? null);
}
