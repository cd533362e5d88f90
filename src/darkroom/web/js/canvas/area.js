// Rectangles of whole pixels, {x, y, width, height}, and the four sides of an extension.  Pure.

export const SIDES = ["left", "top", "right", "bottom"];
export const NO_SIDES = [0, 0, 0, 0];
const LEAST_CROP = 8;

/** The rectangle between two corners, within `bounds`; null where it is too small to mean one. */
export function rectangle(from, to, bounds) {
  const left = clamp(Math.round(Math.min(from.x, to.x)), 0, bounds.width);
  const top = clamp(Math.round(Math.min(from.y, to.y)), 0, bounds.height);
  const width = clamp(Math.round(Math.max(from.x, to.x)), 0, bounds.width) - left;
  const height = clamp(Math.round(Math.max(from.y, to.y)), 0, bounds.height) - top;
  return width < LEAST_CROP || height < LEAST_CROP ? null : { x: left, y: top, width, height };
}

/** What two rectangles share, or null. */
export function overlap(a, b) {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}

/** The smallest rectangle that holds both; either may be null. */
export function union(a, b) {
  if (!a || !b) return a ?? b;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

/** The image with what is added: its origin lies left of and above the image's. */
export function extended(size, [left, top, right, bottom]) {
  return { x: 0 - left, y: 0 - top, width: size.width + left + right, height: size.height + top + bottom };
}

/** The sides when the handle of one is dragged to a point of the image; whole steps of `step`. */
export function dragged(sides, side, point, size, step = 8, most = 2048) {
  const pulls = [-point.x, -point.y, point.x - size.width, point.y - size.height];
  const pull = Math.round(pulls[side] / step) * step;
  return sides.map((old, index) => (index === side ? clamp(pull, 0, most) : old));
}

/** Which side's handle lies within `reach` of a point, or -1. */
export function sideAt(sides, size, point, reach) {
  const area = extended(size, sides);
  const handles = [
    { x: area.x, y: area.y + area.height / 2 },
    { x: area.x + area.width / 2, y: area.y },
    { x: area.x + area.width, y: area.y + area.height / 2 },
    { x: area.x + area.width / 2, y: area.y + area.height },
  ];
  return handles.findIndex(({ x, y }) => Math.hypot(x - point.x, y - point.y) <= reach);
}

export function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}
