/**
 * The wall of images.  Only the rows in sight are in the document, so that ten thousand images
 * scroll as well as ten.  To a reader it is a list box: arrow keys move, Space selects, Enter opens.
 */
import { api } from "../api.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../preact.js";
import { Icon } from "../parts/icons.js";
import { go } from "../router.js";
import { count, filter, items, need, needAll } from "./collection.js";
import { GAP, inSight, layout } from "./layout.js";
import { favour, purge, remove, select, selected, toggle } from "./deeds.js";

const LONG_PRESS = 450; // ms
const SETTLED = 90; // ms without a scroll: pictures that only flew past are never asked for

/** Width of the wall, and which part of it the scrolling place shows. */
function useSight(wall) {
  const [sight, setSight] = useState({ width: 0, top: 0, height: 0, still: true });
  useLayoutEffect(() => {
    const place = wall.current.closest(".place");
    let frame = 0;
    let rest = 0;
    let before = place.scrollTop;
    const look = () => {
      frame = 0;
      const top = place.scrollTop - wall.current.offsetTop;
      const fast = Math.abs(place.scrollTop - before) > 2 * place.clientHeight;
      before = place.scrollTop;
      setSight((was) => ({ width: wall.current.clientWidth, top, height: place.clientHeight, still: was.still && !fast }));
      clearTimeout(rest);
      rest = setTimeout(() => setSight((was) => (was.still ? was : { ...was, still: true })), SETTLED);
    };
    const soon = () => { frame ||= requestAnimationFrame(look); };
    const watch = new ResizeObserver(soon);
    watch.observe(wall.current);
    place.addEventListener("scroll", soon, { passive: true });
    look();
    return () => {
      watch.disconnect();
      place.removeEventListener("scroll", soon);
      cancelAnimationFrame(frame);
      clearTimeout(rest);
    };
  }, []);
  return sight;
}

/** @param {{onSight: (image: object|null) => void}} props  `onSight`: the first image that is seen */
export function Wall({ onSight }) {
  const wall = useRef(null);
  const anchor = useRef(0);
  const [active, setActive] = useState(0);
  const { width, top, height, still } = useSight(wall);
  const total = count.value ?? 0;
  const { columns, side } = layout(width);
  const row = side + GAP;
  const rows = Math.ceil(total / columns);
  const { first, last } = inSight(top, height, row, rows);
  const images = items.value;

  useEffect(() => { need((last + 2) * columns); }, [last, columns, images.length]);
  const seen = images[Math.min(images.length - 1, Math.max(0, Math.floor(top / row)) * columns)] ?? null;
  useEffect(() => onSight(seen), [seen?.id]);

  const show = (place) => {
    const scroller = wall.current.closest(".place");
    const bar = 76; // the filters stay above
    const y = wall.current.offsetTop + Math.floor(place / columns) * row;
    if (y - bar < scroller.scrollTop) scroller.scrollTop = y - bar;
    else if (y + row > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = y + row + 12 - scroller.clientHeight;
  };
  const range = (to) => {
    const [low, high] = [Math.min(anchor.current, to), Math.max(anchor.current, to)];
    select(items.value.slice(low, high + 1).map((image) => image.id));
  };
  const move = async (to, extend) => {
    const place = Math.min(total - 1, Math.max(0, to));
    await need(place);
    setActive(place);
    if (extend) range(place);
    else anchor.current = place;
    show(place);
  };
  const pick = (place, event) => {
    setActive(place);
    if (event.shiftKey) return range(place);
    anchor.current = place;
    const image = items.value[place];
    if (event.ctrlKey || event.metaKey || selected.value.size || event.target.closest(".cell-check")) return toggle(image.id);
    go("image", image.id);
  };
  const onKeyDown = (event) => wallKey(event, { active, columns, page: Math.max(1, Math.floor(height / row)) * columns, total, move, anchor });

  const cells = [];
  for (let place = first * columns; place <= Math.min(total - 1, (last + 1) * columns - 1); place += 1) {
    const x = (place % columns) * row;
    const y = Math.floor(place / columns) * row;
    cells.push(html`<${Cell} key=${images[place]?.id ?? `at ${place}`} image=${images[place]} place=${place} total=${total}
      x=${x} y=${y} side=${side} active=${place === active} chosen=${selected.value.has(images[place]?.id)} still=${still} onPick=${pick} />`);
  }
  return html`<div ref=${wall} class=${selected.value.size ? "wall choosing" : "wall"} role="listbox" aria-multiselectable="true" tabindex="0"
      aria-label="Images" aria-activedescendant=${images[active] && active >= first * columns && active < (last + 1) * columns ? `cell-${images[active].id}` : null}
      style=${{ height: `${rows * row}px` }} onKeyDown=${onKeyDown}>${cells}</div>`;
}

/** What a key does on the wall. */
function wallKey(event, { active, columns, page, total, move, anchor }) {
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page, Home: -total, End: total };
  const image = items.value[active];
  const control = event.ctrlKey || event.metaKey;
  const act = () => {
    if (steps[event.key]) return move(active + steps[event.key], event.shiftKey);
    if (event.key === "a" && control) return needAll().then(() => select(items.value.map((each) => each.id)));
    if (event.key === "Escape" && selected.value.size) return select([]);
    if (!image || control) return false;
    if (event.key === "Enter") return go("image", image.id);
    if (event.key === " ") { anchor.current = active; return toggle(image.id); }
    if (event.key === "Delete") return (filter.value.trashed ? purge : remove)(selected.value.size ? [...selected.value] : [image.id]);
    if (event.key === "f") return favour([image]);
    return false;
  };
  if (act() !== false) event.preventDefault();
}

function Cell({ image, place, total, x, y, side, active, chosen, still, onPick }) {
  const press = useRef(null);
  const box = { transform: `translate(${x}px, ${y}px)`, width: `${side}px`, height: `${side}px` };
  if (!image) return html`<div class="cell waits" style=${box} aria-hidden="true"></div>`;
  const label = [image.prompt || "without a prompt", `seed ${image.seed}`, image.favourite && "favourite", ...image.tags].filter(Boolean).join(", ");
  const end = () => clearTimeout(press.current?.timer);
  const down = (event) => {
    if (event.pointerType === "mouse") return;
    press.current = { long: false };
    press.current.timer = setTimeout(() => { press.current.long = true; toggle(image.id); }, LONG_PRESS);
  };
  const click = (event) => {
    end();
    if (press.current?.long) { press.current = null; return; }
    onPick(place, event);
  };
  const star = (event) => { event.stopPropagation(); favour([image]); };
  return html`<div class=${["cell", active && "active", image.sheet && "whole"].filter(Boolean).join(" ")} id=${`cell-${image.id}`} role="option" aria-selected=${chosen} aria-label=${label}
      aria-posinset=${place + 1} aria-setsize=${total} style=${box} onClick=${click} onPointerDown=${down} onPointerUp=${end}
      onPointerCancel=${end} onPointerMove=${(event) => { if (Math.abs(event.movementX) + Math.abs(event.movementY) > 6) end(); }}
      onContextMenu=${(event) => { if (press.current) event.preventDefault(); }}>
    ${image.missing ? html`<span class="cell-missing small muted">Its file is missing</span>` : html`<${Picture} image=${image} still=${still} />`}
    <span class="cell-check" aria-hidden="true"><${Icon} name="check" /></span>
    <span class=${image.favourite ? "cell-star on" : "cell-star"} aria-hidden="true" onClick=${star}><${Icon} name="star" filled=${image.favourite} /></span>
  </div>`;
}

/** Asked for once the wall rests, and then it stays. */
function Picture({ image, still }) {
  const asked = useRef(false);
  if (still) asked.current = true;
  return asked.current && html`<img src=${api.thumbnailUrl(image.id)} alt="" decoding="async" draggable=${false} onError=${(event) => { event.target.hidden = true; }} />`;
}
