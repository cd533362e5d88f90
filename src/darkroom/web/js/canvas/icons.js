// The tools of the canvas, as line icons of 24 units in the colour of the text.

import { html } from "../preact.js";

const PATHS = {
  brush: "M14 4l6 6-8 7-5-5zM7 12c-3 1-2 5-4 8 4 0 8 0 9-3",
  eraser: "M4 15l9-10 7 6-8 9H8zM8.5 10l7 6M12 20h8",
  fill: "M5 12l7-7 7 7-7 7zM9 8L6.5 4.5M5 12h14M20 15c1 1.6 1.5 2.4 1.5 3.2a1.5 1.5 0 01-3 0c0-.8.5-1.6 1.5-3.2",
  picker: "M14 6l4 4M12.5 7.500l4 4L8 20l-4 .5.5-4zM16 8l2.500-2.500a1.400 1.400 0 00-2-2L14 6",
  move: "M12 3v18M3 12h18M12 3l-2.500 2.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  crop: "M7 3v14h14M3 7h14v14",
  extend: "M8 8h8v8H8zM3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5",
  undo: "M9 7L4.500 11.500 9 16M5 11.500h9a5 5 0 010 10h-3",
  redo: "M15 7l4.500 4.500L15 16M19 11.500h-9a5 5 0 000 10h3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
};

/** @param {{name: keyof typeof PATHS}} props */
export function ToolIcon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
}
