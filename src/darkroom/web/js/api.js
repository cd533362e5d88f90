/**
 * The server, as the page knows it: one function a route, and one stream of events.
 *
 * Every failure is an `ApiError` with a sentence and a hint.  Where the server cannot be reached
 * its status is 0, `online` turns false, and the stream goes on where it broke off as soon as the
 * server is back.
 */
import { signal } from "./preact.js";
import { read, written } from "./seeds.js";

/** @typedef {Record<string, unknown>} Wish  the wire form of a Request, unsaid fields left out */
/** @typedef {{id: string, job: string, number: number, width: number, height: number, seed: import("./seeds.js").Seed,
 *   prompt: string, negative: string, model: string, task: string, created: string,
 *   favourite: boolean, tags: string[], steps: number, file: string, thumbnail: string}} Image */
/** @typedef {{id: string, state: "waiting"|"running"|"done"|"failed"|"cancelled", title: string,
 *   task: string, images: number, images_done: number, position: number|null, attempts: number,
 *   error: {message: string, hint: string}|null, created: string, started: string|null,
 *   finished: string|null, seconds_left: number|null, step: number|null, steps: number|null,
 *   requests: Wish[], grid: object|null, notes: string[], sheet: string|null}} Job */
/** @typedef {{job: string, index: number, images: number, step: number, steps: number, fraction: number,
 *   seconds_left: number|null, preview: string|null}} StepEvent */

export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {string} hint */
  constructor(status, message, hint = "") {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** Whether the server answered last time; starts true so that nothing flickers. */
export const online = signal(true);
/** Whether the server asked for a key that this browser does not hold. */
export const signedOut = signal(false);

const AWAY = "The server does not answer.";
const AWAY_HINT = "Nothing is lost; the page goes on by itself when it is back.";

/**
 * @param {string} method @param {string} path
 * @param {{body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} [more]
 */
async function call(method, path, { body, headers = {}, signal: stop } = {}) {
  const file = body instanceof Blob;
  const options = { method, headers: { ...headers }, signal: stop, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = file ? body.type || "application/octet-stream" : "application/json";
    options.body = file ? body : written(body);
  }
  let answer;
  try {
    answer = await fetch(`/api${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    online.value = false;
    throw new ApiError(0, AWAY, AWAY_HINT);
  }
  signedOut.value = answer.status === 401;
  if (!answer.ok) throw await refusal(answer);
  const type = answer.headers.get("Content-Type") ?? "";
  if (answer.status === 204) return null;
  try {
    return type.startsWith("application/json") ? read(await answer.text()) : await answer.blob();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The answer of the server broke off.", "Try again.");
  }
}

/** @param {Response} answer */
async function refusal(answer) {
  const said = await answer.json().catch(() => null);
  const message = said?.error?.message ?? `The server answered ${answer.status}.`;
  return new ApiError(answer.status, message, said?.error?.hint ?? "");
}

/** A search part out of what is said; arrays become repeated names. */
function search(values) {
  const said = Object.entries(values).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((each) => each !== null && each !== undefined && each !== "")
      .map((each) => [name, String(each)]));
  return said.length ? `?${new URLSearchParams(said)}` : "";
}

/** A name for one press of a button, so that no repetition runs twice. */
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The same submission with the same key, a few times where the connection breaks. */
async function submit(body, key) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call("POST", "/jobs", { body, headers: { "Idempotency-Key": key } });
    } catch (error) {
      if (error.status !== 0 || attempt === 3) throw error;
      await new Promise((done) => setTimeout(done, 400 * attempt));
    }
  }
}

const NOT_MEASURED = 409;

/** The plan of a wish.  A device that is still being measured is asked again; `measuring` hears what it says. */
async function plan(body, stop, measuring = () => {}) {
  for (;;) {
    try {
      return await call("POST", "/plan", { body, signal: stop });
    } catch (error) {
      if (error.status !== NOT_MEASURED) throw error;
      measuring(error);
    }
    await new Promise((done) => setTimeout(done, 1000));
    stop.throwIfAborted();
  }
}

const at = encodeURIComponent;

export const api = {
  status: () => call("GET", "/status"),
  choices: () => call("GET", "/choices"),
  settings: () => call("GET", "/settings"),

  /** @param {{request?: Wish, requests?: Wish[], styles?: string[], grid?: object}} body @returns {Promise<{job: Job}>} */
  submit: (body, key = freshKey()) => submit(body, key),
  jobs: (filter = {}) => call("GET", `/jobs${search(filter)}`),
  job: (id) => call("GET", `/jobs/${at(id)}`),
  cancel: (id) => call("POST", `/jobs/${at(id)}/cancel`),
  retry: (id) => call("POST", `/jobs/${at(id)}/retry`),
  skip: (id) => call("POST", `/jobs/${at(id)}/skip`),
  move: (id, before) => call("POST", `/jobs/${at(id)}/move`, { body: { before } }),
  removeJob: (id) => call("DELETE", `/jobs/${at(id)}`),
  pause: (paused) => call("POST", "/queue", { body: { paused } }),
  clear: (what) => call("POST", "/queue/clear", { body: { what } }),

  /** @param {object} body @param {AbortSignal} stop @param {(error: ApiError) => void} [measuring] */
  plan,
  tokens: (body, stop) => call("POST", "/tokens", { body, signal: stop }),
  sayings: (body) => call("POST", "/sayings", { body }),

  /** @param {Blob} file @param {string|null} over  the upload that it was drawn over */
  upload: (file, over = null) => call("POST", `/uploads${search({ over })}`, { body: file }),
  uploadUrl: (id, side = null) => `/api/uploads/${at(id)}/image${side === null ? "" : `?side=${side}`}`,

  images: (filter = {}) => call("GET", `/images${search(filter)}`),
  /** What images can be filtered by. @returns {Promise<Record<"models"|"tags", {name: string, images: number}[]>>} */
  facets: () => call("GET", "/images/facets"),
  image: (id) => call("GET", `/images/${at(id)}`),
  /** Favourite and tags. */
  change: (id, body) => call("PATCH", `/images/${at(id)}`, { body }),
  remove: (ids) => call("POST", "/images/delete", { body: { ids } }),
  restore: (ids) => call("POST", "/images/restore", { body: { ids } }),
  purge: (ids) => call("POST", "/images/purge", { body: { ids } }),
  zip: (ids) => call("POST", "/images/zip", { body: { ids } }),
  /** The image as an input of another. @returns {Promise<{id: string}>} */
  asInput: (id) => call("POST", `/images/${at(id)}/input`),
  fileUrl: (id, download = false) => `/api/images/${at(id)}/file${download ? "?download=1" : ""}`,
  thumbnailUrl: (id, side = 256) => `/api/images/${at(id)}/thumbnail?side=${side}`,
  filmUrl: (id, step) => `/api/images/${at(id)}/film/${step}`,

  models: () => call("GET", "/models"),
  model: (name) => call("GET", `/models/${at(name)}`),
  modelsFound: () => call("GET", "/models/found"),
  modelsKnown: () => call("GET", "/models/known"),
  importModel: (id) => call("POST", "/models/import", { body: { id } }),
  pull: (name) => call("POST", "/models/pull", { body: { name } }),
  convert: (name, to, precision = null) => call("POST", `/models/${at(name)}/convert`, { body: { to, ...(precision ? { precision } : {}) } }),
  removeModel: (name) => call("DELETE", `/models/${at(name)}`),

  styles: () => call("GET", "/styles"),
  saveStyle: (style) => call("POST", "/styles", { body: style }),
  removeStyle: (name) => call("DELETE", `/styles/${at(name)}`),
  wildcards: () => call("GET", "/wildcards"),
};

/**
 * What the server tells by itself: `step`, `image`, `gone`, `job`, `queue`, `machine`, `models`,
 * `pull`, each a CustomEvent with its data as `detail`; `reset` where something was missed, and
 * `open` at each connection.
 */
export const events = new EventTarget();

const QUIET = 45_000; // the server says something at least this often
let last = null;
let listening = false;

/** Open the stream and keep it open. */
export async function listen() {
  if (listening) return;
  listening = true;
  for (let wait = 300; ; wait = Math.min(wait * 1.6, 5000)) {
    const opened = await follow();
    if (opened) wait = 300;
    online.value = false;
    await new Promise((done) => setTimeout(done, wait));
  }
}

/** One connection until it ends; whether it was made at all. */
async function follow() {
  const stop = new AbortController();
  let silence = setTimeout(() => stop.abort(), QUIET);
  let opened = false;
  try {
    const headers = last === null ? {} : { "Last-Event-ID": last };
    const answer = await fetch("/api/events", { headers, signal: stop.signal, cache: "no-store" });
    signedOut.value = answer.status === 401;
    if (!answer.ok) return false;
    opened = online.value = true;
    events.dispatchEvent(new CustomEvent("open"));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), QUIET);
      const blocks = (text + part.value).replaceAll("\r\n", "\n").split("\n\n");
      text = blocks.pop();
      blocks.forEach(tell);
    }
  } catch {
    // The connection broke; the caller opens another.
  } finally {
    clearTimeout(silence);
  }
  return opened;
}

/** One event of the stream. @param {string} block */
function tell(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([a-z]*): ?(.*)$/.exec(line) ?? [];
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
    else if (field === "id") last = value;
  }
  if (data.length) events.dispatchEvent(new CustomEvent(name, { detail: read(data.join("\n")) }));
}
