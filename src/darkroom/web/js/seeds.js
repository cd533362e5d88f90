/**
 * Seeds reach 2^63 - 1, and JavaScript's numbers keep all digits to 2^53 alone.  So a seed is a
 * number where that is exact, and the text of its digits where it is not.
 */

/** @typedef {number|string} Seed */

export const MOST_SEED = 2n ** 63n - 1n;
const LARGE_IN_JSON = /("\w*seed\w*"\s*:\s*)(\d{16,})(?=\s*[,}\]])/g;
const TEXT_IN_JSON = /("\w*seed\w*"\s*:\s*)"(\d{16,})"/g;

/** @param {bigint} whole @returns {Seed} */
const seedOf = (whole) => (whole <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(whole) : String(whole));

/** A seed as it is typed, null where the text is none. @param {string} text @returns {Seed|null} */
export function seedIn(text) {
  const digits = text.trim();
  if (!/^\d{1,19}$/.test(digits)) return null;
  const whole = BigInt(digits);
  return whole > MOST_SEED ? null : seedOf(whole);
}

/** A seed some further on, within what seeds can be. @param {Seed} seed @param {number} by */
export function seedAfter(seed, by) {
  const whole = BigInt(seed) + BigInt(Math.round(by));
  return seedOf(whole < 0n ? 0n : whole > MOST_SEED ? MOST_SEED : whole);
}

/** Seeds in a field for numbers. */
export const SEEDS = { read: seedIn, near: seedIn, after: seedAfter };

/** JSON of the server as values, with every digit of the seeds. @param {string} text */
export const read = (text) => JSON.parse(text.replace(LARGE_IN_JSON, (all, name, digits) => (Number.isSafeInteger(Number(digits)) ? all : `${name}"${digits}"`)));

/** Values as JSON for the server, or for people. @param {unknown} value @param {number} [indent] */
export const written = (value, indent = undefined) => JSON.stringify(value, null, indent).replace(TEXT_IN_JSON, "$1$2");
