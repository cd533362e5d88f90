/** The small real runs of the page: jobs of Mini, kept over reloads. */
import { api, freshKey } from "../api.js";
import { keep, kept } from "../kept.js";
import { signal, useEffect, useState } from "../preact.js";
import { toastError } from "../parts/toast.js";
import { putJob } from "../state.js";
import { duration } from "../words.js";

export const MODEL = "mini";
const KEY = "darkroom.how";
const BEGIN = { prompt: "a hamster on a blue background", jobs: {} };

/** The prompt of the page, and the jobs of its parts by name. */
export const said = signal(kept(KEY, BEGIN, ({ prompt, jobs }) => typeof prompt === "string" && jobs !== null && typeof jobs === "object"));

const put = (next) => {
  said.value = next;
  keep(KEY, next);
};

/** Another prompt: what was run belongs to the old one. @param {string} prompt */
export const sayPrompt = (prompt) => put({ ...said.value, prompt });

/** @param {string} name  the part of the page @param {{request: object, grid?: object}} body */
export async function start(name, body) {
  try {
    const { job } = await api.submit(body, freshKey());
    putJob(job);
    put({ ...said.value, jobs: { ...said.value.jobs, [name]: { id: job.id, prompt: said.value.prompt } } });
  } catch (error) {
    toastError(error);
  }
}

/** A job that is not there any more. @param {string} name */
export function forget(name) {
  const { [name]: _, ...jobs } = said.value.jobs;
  put({ ...said.value, jobs });
}

/** How long it would take, null until it is known. @param {{request: object, grid?: object}} body */
export function useSeconds(body) {
  const [seconds, setSeconds] = useState(null);
  const text = JSON.stringify(body);
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => api.plan(JSON.parse(text), stop.signal).then((plan) => setSeconds(plan.seconds), () => {}), 300);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  return seconds;
}

/** @param {number} seconds */
export const about = (seconds) => (seconds < 1 ? duration(seconds) : `about ${duration(seconds)}`);
