/** The film strip: each step of a run, growing while it runs, to be dragged through afterwards. */
import { html, useEffect, useRef, useState } from "../preact.js";
import { frame } from "../running.js";
import { Picture } from "./picture.js";

const NARROWEST = 66; // pixels of a picture in the strip

/**
 * @param {{steps: number, address: (step: number) => string|null, done: number, last: string|null, label: string, note: string}} props
 *   `address`: of the picture after a step (from 1), null where there is none; `done`: steps so far;
 *   `last`: the finished image's small picture, null while it runs
 */
export function Film({ steps, address, done, last, label, note }) {
  const strip = useRef(null);
  const room = useRoom(strip);
  const at = frame.value ?? done;
  const places = Math.max(1, Math.min(steps, Math.floor(room / NARROWEST) || 1));
  // The steps shown, evenly spread, the last always among them.
  const shown = Array.from({ length: places }, (_, place) => Math.round(((place + 1) * steps) / places));
  // The place that is being filled shows the newest step that belongs to it.
  const pictured = (step) => (step > done && step - steps / places < done ? done : step);
  const current = shown.find((step) => step >= at) ?? steps;
  const go = (step) => {
    const to = Math.max(1, Math.min(done, Math.round(step)));
    frame.value = last && to === steps ? null : last || to < done ? to : null;
  };
  const drag = (event) => {
    if (event.type === "pointerdown") event.currentTarget.setPointerCapture(event.pointerId);
    else if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    // The pictures of a short film do not fill the strip.
    const { firstElementChild: first, lastElementChild: end } = event.currentTarget;
    const { left } = first.getBoundingClientRect();
    const { right } = end.getBoundingClientRect();
    go(Math.ceil(((event.clientX - left) / (right - left)) * steps));
  };
  const onKeyDown = (event) => {
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - 5, PageUp: at + 5, Home: 1, End: steps }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return html`<div class="film">
    <div class="spread film-head"><span class="cut">${label}</span><span class="film-note">${note}</span></div>
    <div class="film-strip" ref=${strip} role="slider" tabindex="0" aria-label="Step of the film" aria-valuemin="1" aria-valuemax=${steps} aria-valuenow=${Math.max(1, at)}
      aria-valuetext=${`Step ${at} of ${steps}`} onPointerDown=${drag} onPointerMove=${drag} onKeyDown=${onKeyDown}>
      ${shown.map((step) => html`<${Frame} key=${step} source=${step === steps && last ? last : address(pictured(step))} current=${step === current} />`)}
    </div>
  </div>`;
}

const Frame = ({ source, current }) => html`<span class=${current ? "frame current" : "frame"}>${source && html`<${Picture} src=${source} alt="" draggable=${false} />`}</span>`;

/** Width of an element in pixels, as it changes. */
function useRoom(ref) {
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, []);
  return width;
}
