// A stroke: pointer positions become evenly spaced dabs of a brush.  Pure functions.
//
// A point is {x, y, pressure}, in pixels of the image; pressure is 0 … 1.

/** How far apart dabs are: near enough that a stroke has no beads, far enough to stay quick. */
export function spacing(size, hardness) {
  return Math.max(0.5, size * (0.06 + 0.09 * (1 - hardness)));
}

/** The pressure that counts: pens say one, mice and fingers do not. */
export function pressureOf(event) {
  return event.pointerType === "pen" && event.pressure > 0 ? event.pressure : 1;
}

/** Diameter of a dab: a light pen draws a quarter of the brush's size. */
export function diameter(size, pressure) {
  return size * (0.25 + 0.75 * pressure);
}

/** The first dab lies where the pointer goes down. */
export function beginStroke(point) {
  return { state: { last: point, corner: point, left: 0 }, dabs: [point] };
}

/**
 * Goes on to `point`, along a curve through the middles between the pointer's positions, so that
 * quick strokes are round and not angular.  `gap`: distance of two dabs.
 */
export function continueStroke(state, point, gap) {
  const middle = between(state.corner, point, 0.5);
  const { dabs, left } = along(curve(state.last, state.corner, middle), gap, state.left);
  return { state: { last: middle, corner: point, left }, dabs };
}

/** The rest of the way, from the last middle to where the pointer was lifted. */
export function endStroke(state, gap) {
  return along([state.last, state.corner], gap, state.left).dabs;
}

/** The rectangle that dabs touch, or null; `size` is the brush's. */
export function bounds(dabs, size) {
  if (dabs.length === 0) return null;
  const radius = size / 2 + 1;
  const xs = dabs.map((dab) => dab.x);
  const ys = dabs.map((dab) => dab.y);
  const left = Math.floor(Math.min(...xs) - radius);
  const top = Math.floor(Math.min(...ys) - radius);
  return {
    x: left,
    y: top,
    width: Math.ceil(Math.max(...xs) + radius) - left,
    height: Math.ceil(Math.max(...ys) + radius) - top,
  };
}

function between(a, b, part) {
  return {
    x: a.x + (b.x - a.x) * part,
    y: a.y + (b.y - a.y) * part,
    pressure: a.pressure + (b.pressure - a.pressure) * part,
  };
}

/** A quadratic Bézier curve as a chain of points. */
function curve(from, control, to) {
  const length = distance(from, control) + distance(control, to);
  const pieces = Math.min(64, Math.max(1, Math.ceil(length / 4)));
  const points = [from];
  for (let piece = 1; piece <= pieces; piece += 1) {
    const part = piece / pieces;
    points.push(between(between(from, control, part), between(control, to, part), part));
  }
  return points;
}

/** Dabs each `gap` along a chain of points; `left` has been walked since the last dab. */
function along(points, gap, left) {
  const dabs = [];
  let walked = left;
  for (let index = 1; index < points.length; index += 1) {
    const from = points[index - 1];
    const to = points[index];
    const length = distance(from, to);
    if (length === 0) continue;
    let at = gap - walked;
    for (; at <= length; at += gap) dabs.push(between(from, to, at / length));
    walked = length - (at - gap);
  }
  return { dabs, left: walked };
}

function distance(a, b) {
  return Math.hypot(b.x - a.x, b.y - a.y);
}
