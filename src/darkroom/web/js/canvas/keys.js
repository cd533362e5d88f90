// The keys of the canvas: one table, which the page shows as well.

import { MOST_SIZE } from "./easel.js";
import { clamp } from "./area.js";

const change = (value, by, least, most) => {
  value.value = clamp(Math.round((value.value + by) * 100) / 100, least, most);
};
const sizeStep = (easel) => Math.max(1, Math.round(easel.size.value / 8));
const pick = (tool) => (easel) => {
  easel.tool.value = tool;
};

/** [key as `nameOf` says it, what it does in words, what it does] */
export const KEYS = [
  ["b", "Brush", pick("brush")],
  ["e", "Eraser", pick("eraser")],
  ["g", "Fill", pick("fill")],
  ["i", "Pick a colour (or Alt and a click)", pick("picker")],
  ["h", "Move (or hold Space)", pick("move")],
  ["c", "Crop", pick("crop")],
  ["x", "Extend", pick("extend")],
  ["m", "Sketch or mask", (easel) => {
    easel.layer.value = easel.layer.value === "mask" ? "sketch" : "mask";
  }],
  ["[", "Smaller brush", (easel) => change(easel.size, -sizeStep(easel), 1, MOST_SIZE)],
  ["]", "Larger brush", (easel) => change(easel.size, sizeStep(easel), 1, MOST_SIZE)],
  ["{", "Softer brush", (easel) => change(easel.hardness, -0.1, 0, 1)],
  ["}", "Harder brush", (easel) => change(easel.hardness, 0.1, 0, 1)],
  ["ctrl+z", "Undo", (easel) => easel.undo()],
  ["ctrl+shift+z", "Redo", (easel) => easel.redo()],
  ["ctrl+y", "Redo", (easel) => easel.redo()],
  ["ctrl+i", "Invert the mask", (easel) => easel.invertMask()],
  ["delete", "Clear the sketch or the mask", (easel) => easel.clear()],
  ["+", "Nearer", (easel) => easel.zoom(1.25)],
  ["=", "Nearer", (easel) => easel.zoom(1.25)],
  ["-", "Farther", (easel) => easel.zoom(0.8)],
  ["0", "The whole image", (easel) => easel.fit()],
];

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TYPES = "input, select, textarea";

/** A key press as text: ctrl+shift+z, [, delete. */
export function nameOf({ key, ctrlKey, metaKey, shiftKey }) {
  const name = key.toLowerCase();
  if (!ctrlKey && !metaKey) return name;
  return ["ctrl", ...(shiftKey ? ["shift"] : []), name].join("+");
}

/** Carries a key press out; true where it meant something here. */
export function press(easel, event) {
  if (event.target.matches(TYPES) && !event.ctrlKey && !event.metaKey) return false;
  if (event.target.matches("input[type=number]")) return false;
  if (event.target.matches("canvas")) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const far = event.shiftKey ? 4 : 1;
      easel.step(arrow[0] * far, arrow[1] * far);
      return true;
    }
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      easel.actAtCursor();
      return true;
    }
  }
  const found = KEYS.find(([key]) => key === nameOf(event));
  if (!found || event.altKey) return false;
  found[2](easel);
  return true;
}
