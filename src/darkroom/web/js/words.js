/** Numbers and times in words, the same on every page. */

/** @param {number|null|undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 90) return `${Math.round(minutes)} min`;
  return `${(minutes / 60).toFixed(1)} h`;
}

/** What is left of a run, in the room of a word or two. @param {number|null|undefined} seconds */
export const left = (seconds) => (seconds === null || seconds === undefined ? "" : `${duration(Math.max(1, seconds))} left`);

/** Bytes in GB of 2^30, as memory is sold. @param {number} bytes */
export function gigabytes(bytes) {
  const value = bytes / 2 ** 30;
  if (value < 0.095) return `${Math.max(1, Math.round(bytes / 2 ** 20))} MB`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} GB`;
}

/** @param {number} n @param {string} one @param {string} [many] */
export const counted = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** @param {string} iso */
export const when = (iso) => new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

const TITLES = { mini: "Mini", "mini-x4": "Mini-x4" };

/** A model's name, as it is written among people. @param {string} name */
export const modelTitle = (name) => TITLES[name] ?? name;

/** The first letters of a long text, none of them cut in two. @param {string} text @param {number} [most] */
export function shortened(text, most = 60) {
  if (text.length <= most) return text;
  const letters = Array.from(text.slice(0, 2 * most));
  return letters.length > most || text.length > 2 * most ? `${letters.slice(0, most - 1).join("").trimEnd()}…` : text;
}
