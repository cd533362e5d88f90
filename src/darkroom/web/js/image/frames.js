/** Which steps of a film are shown on its strip. */

const FRAMES = 14;

/** The first, the last, and some between, evenly. @param {number} steps */
export function framesOf(steps, most = FRAMES) {
  const many = Math.min(steps, most);
  if (many < 2) return many ? [steps] : [];
  return Array.from({ length: many }, (_, at) => 1 + Math.round((at * (steps - 1)) / (many - 1)));
}
