// Where the image lies on the screen: zoom and pan.  Pure functions.
//
// A view is {scale, x, y}: a pixel (i, j) of the image is at (x + i · scale, y + j · scale).

export const LEAST_SCALE = 0.05;
export const MOST_SCALE = 32;

/** The whole of `area` ({x, y, width, height}) in the middle of a screen, with a margin. */
export function fit(area, screen, margin = 24) {
  const room = (side) => Math.max(1, side - 2 * margin);
  const scale = bound(
    Math.min(room(screen.width) / area.width, room(screen.height) / area.height),
  );
  return {
    scale,
    x: (screen.width - area.width * scale) / 2 - area.x * scale,
    y: (screen.height - area.height * scale) / 2 - area.y * scale,
  };
}

/** Nearer or farther by `factor`; the point of the screen keeps what is under it. */
export function zoomAt(view, point, factor) {
  const scale = bound(view.scale * factor);
  const change = scale / view.scale;
  return {
    scale,
    x: point.x - (point.x - view.x) * change,
    y: point.y - (point.y - view.y) * change,
  };
}

export function pan(view, dx, dy) {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** Two fingers from `before` to `after` (two points each): what they hold stays under them. */
export function pinch(view, before, after) {
  const from = middle(before);
  const to = middle(after);
  const spread = ([a, b]) => Math.max(1, Math.hypot(b.x - a.x, b.y - a.y));
  const moved = pan(view, to.x - from.x, to.y - from.y);
  return zoomAt(moved, to, spread(after) / spread(before));
}

export function toImage(view, point) {
  return { x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale };
}

export function toScreen(view, point) {
  return { x: view.x + point.x * view.scale, y: view.y + point.y * view.scale };
}

/** How much a turn of the wheel zooms; a pinch on a touch pad comes as one with Ctrl. */
export function wheelFactor(event) {
  const lines = event.deltaMode === 1 ? 16 : 1;
  const strength = event.ctrlKey ? 0.01 : 0.0015;
  return Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) * strength);
}

function middle([a, b]) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function bound(scale) {
  return Math.min(MOST_SCALE, Math.max(LEAST_SCALE, scale));
}
