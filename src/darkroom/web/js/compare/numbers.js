/** Numbers as they are typed for an axis. */

export const MOST = 100; // values of one axis

const NUMBER = String.raw`-?\d+(?:\.\d+)?`;
const PART = new RegExp(`^(${NUMBER})(?:\\s*(?:\\.\\.|–|to|-)\\s*(${NUMBER})(?:\\s*(?:\\+|by|step)\\s*(${NUMBER}))?)?$`);

/** Without the dust of binary fractions. */
const tidy = (number) => (Number.isInteger(number) ? number : Number(number.toPrecision(10)));

/** "4, 8, 12" or "1-10 by 3" as numbers. @returns {{values: number[], wrong: string|null}} */
export function numbersIn(text, whole) {
  const values = [];
  for (const part of text.split(/[,;\n]+/).map((each) => each.trim()).filter(Boolean)) {
    const [, first, last, by] = PART.exec(part) ?? [];
    if (first === undefined) return { values, wrong: part };
    const [from, to] = [Number(first), Number(last ?? first)];
    const step = by === undefined ? (whole || Math.abs(to - from) >= 1 ? 1 : 0.1) : Math.abs(Number(by));
    if (!step && from !== to) return { values, wrong: part };
    // One more than can be had, so that the reader is told instead of losing the rest.
    const count = from === to ? 1 : Math.min(MOST + 1, Math.floor(Math.abs(to - from) / step + 1e-9) + 1);
    for (let at = 0; at < count; at += 1) values.push(tidy(from + at * step * Math.sign(to - from || 1)));
    if (whole && !values.every(Number.isSafeInteger)) return { values, wrong: part };
  }
  return { values: [...new Set(values)], wrong: null };
}
