// Mouse, pen and fingers on the canvas: one draws, two zoom and pan, a pen keeps the palm off.

import { wheelFactor } from "./view.js";

/** Listens on the canvas element; `hand()` says whether dragging pans.  Returns what ends it. */
export function watchPointers(canvas, easel, hand) {
  const touches = new Map();
  let dragging = null;
  let hasPen = false;

  const pointOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const pans = (event) =>
    hand() || event.button === 1 || (hasPen && event.pointerType === "touch");

  function down(event) {
    if (event.button > 1) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    hasPen ||= event.pointerType === "pen";
    if (event.pointerType === "touch") {
      touches.set(event.pointerId, pointOf(event));
      if (touches.size > 1) {
        easel.drop();
        dragging = null;
        return;
      }
    }
    const point = pointOf(event);
    if (pans(event)) dragging = { id: event.pointerId, from: point };
    else if (easel.down(point, event)) dragging = { id: event.pointerId };
  }

  function move(event) {
    const point = pointOf(event);
    if (touches.size > 1 && touches.has(event.pointerId)) {
      const before = [...touches.values()].slice(0, 2);
      touches.set(event.pointerId, point);
      easel.pinch(before, [...touches.values()].slice(0, 2));
    } else if (dragging?.id !== event.pointerId) {
      easel.hover(point);
    } else if (dragging.from) {
      easel.pan(point.x - dragging.from.x, point.y - dragging.from.y);
      dragging.from = point;
    } else {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length > 0 ? all : [event]) easel.move(pointOf(each), each);
    }
  }

  function up(event) {
    touches.delete(event.pointerId);
    if (dragging?.id !== event.pointerId) return;
    if (!dragging.from) easel.up();
    dragging = null;
  }

  function wheel(event) {
    event.preventDefault();
    easel.zoom(wheelFactor(event), pointOf(event));
  }

  const listeners = {
    pointerdown: down,
    pointermove: move,
    pointerup: up,
    pointercancel: up,
    pointerleave: () => easel.hover(null),
    wheel,
    contextmenu: (event) => event.preventDefault(),
  };
  for (const [name, act] of Object.entries(listeners)) canvas.addEventListener(name, act, { passive: false });
  return () => {
    for (const [name, act] of Object.entries(listeners)) canvas.removeEventListener(name, act);
  };
}
