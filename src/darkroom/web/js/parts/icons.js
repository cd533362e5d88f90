/** Line icons of 24 units, drawn in the colour of the text. */
import { html } from "../preact.js";

const PATHS = {
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  columns: "M4 5h7v14H4zM13 5h7v14h-7z",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  cube: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  cog: "M12 9a3 3 0 100 6 3 3 0 000-6M12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M18.4 5.6l-2.2 2.2M7.8 16.2l-2.2 2.2",
  question: "M12 3a9 9 0 100 18 9 9 0 000-18M9.6 9.5a2.5 2.5 0 113.6 2.3c-.8.4-1.2 1-1.2 1.9M12 17v.01",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  down: "M6 9l6 6 6-6",
  right: "M9 6l6 6-6 6",
  left: "M15 6l-6 6 6 6",
  dice: "M5 4h14a1 1 0 011 1v14a1 1 0 01-1 1H5a1 1 0 01-1-1V5a1 1 0 011-1M8.5 8.5v.01M15.5 8.5v.01M12 12v.01M8.5 15.5v.01M15.5 15.5v.01",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3",
  again: "M5 12a7 7 0 0112-5l2 2M19 4v5h-5M19 12a7 7 0 01-12 5l-2-2M5 20v-5h5",
  swap: "M7 8h12l-3-3M17 16H5l3 3",
  star: "M12 4l2.5 5.1 5.5.8-4 3.9 1 5.6-5-2.7-5 2.7 1-5.6-4-3.9 5.5-.8z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  save: "M12 4v11M7 10l5 5 5-5M5 20h14",
  dots: "M5 12a.6.6 0 101.2 0 .6.6 0 10-1.2 0M11.4 12a.6.6 0 101.2 0 .6.6 0 10-1.2 0M17.8 12a.6.6 0 101.2 0 .6.6 0 10-1.2 0",
  pause: "M9 6v12M15 6v12",
  play: "M8 5l11 7-11 7z",
  grip: "M6 9h12M6 15h12",
  up: "M6 15l6-6 6 6",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 5M15 9v.01",
  brush: "M14 4l6 6-8 7-5-5zM7 12c-3 1-2 5-4 8 4 0 8 0 9-3",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  history: "M4 12a8 8 0 108-8 8 8 0 00-7 4M4 4v4h4M12 8v4l3 2",
  check: "M5 12l5 5 9-10",
  link: "M10 14a4 4 0 006 0l3-3a4 4 0 00-6-6l-1 1M14 10a4 4 0 00-6 0l-3 3a4 4 0 006 6l1-1",
  search: "M11 5a6 6 0 100 12 6 6 0 000-12M20 20l-4.5-4.5",
  code: "M9 8l-5 4 5 4M15 8l5 4-5 4M13 5l-2 14",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.01",
};

/** @param {{name: keyof typeof PATHS, filled?: boolean}} props */
export function Icon({ name, filled = false }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} fill=${filled ? "currentColor" : "none"} />
  </svg>`;
}
