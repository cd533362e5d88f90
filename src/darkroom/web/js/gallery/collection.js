/**
 * The images that the gallery shows: those that match the filter, loaded page by page as they are
 * looked at, and kept true by the server's events.
 */
import { api, events } from "../api.js";
import { batch, computed, signal } from "../preact.js";

const PAGE = 200;
const LARGE_PAGE = 500; // for a jump far down

/** @typedef {{search: string, model: string, task: string, tag: string, side: string, from: string,
 *   to: string, favourite: boolean, trashed: boolean, order: "new"|"old"}} Filter */

/** @type {Filter} */
export const NO_FILTER = { search: "", model: "", task: "", tag: "", side: "", from: "", to: "", favourite: false, trashed: false, order: "new" };

export const filter = signal({ ...NO_FILTER });
/** Those loaded so far, in order from the first. */
export const items = signal([]);
/** How many match, loaded or not; null before the first answer. */
export const count = signal(null);
/** Why nothing could be loaded, or null. */
export const problem = signal(null);
/** What can be filtered by: `{models, tags}`, each `[{name, images}]`. */
export const facets = signal({ models: [], tags: [] });

/** Whether anything but the order is chosen. */
export const filtered = computed(() => Object.keys(NO_FILTER).some((name) => name !== "order" && filter.value[name] !== NO_FILTER[name]));

export const SIDES = [
  { value: "", label: "Any size" },
  { value: "0-255", label: "Below 256 px" },
  { value: "256-511", label: "256 to 511 px" },
  { value: "512-1023", label: "512 to 1023 px" },
  { value: "1024-", label: "1024 px and more" },
];

let next = null;
let generation = 0;
let loading = null;
let wanted = 0; // the furthest place that was asked for
let started = false;

function asked(after, limit) {
  const { search, model, task, tag, side, from, to, favourite, trashed, order } = filter.value;
  const [least, most] = side.split("-");
  return {
    search: search.trim(), model, task, tag, order, after, limit,
    min_side: least || null, max_side: most || null,
    from: from && new Date(`${from}T00:00:00`).toISOString(),
    to: to && new Date(`${to}T23:59:59.999`).toISOString(),
    favourite: favourite ? true : null, trashed: trashed ? true : null,
  };
}

async function loadPage() {
  const mine = generation;
  const far = wanted - items.value.length > PAGE;
  const answer = await api.images(asked(next, far ? LARGE_PAGE : PAGE));
  if (mine !== generation) return;
  const known = new Set(items.value.map((image) => image.id));
  batch(() => {
    items.value = [...items.value, ...answer.images.filter((image) => !known.has(image.id))];
    count.value = Math.max(answer.total, items.value.length);
    problem.value = null;
  });
  next = answer.next;
}

/** Load until the image of this place is there.  Calls while one is under way join it. */
export function need(place) {
  wanted = Math.max(wanted, place);
  loading ??= fill().finally(() => { loading = null; });
  return loading;
}

async function fill() {
  try {
    while (next !== null && items.value.length <= wanted) await loadPage();
  } catch (error) {
    problem.value = error;
  }
}

/** Everything that matches, for a selection of all. */
export const needAll = () => need(Infinity).finally(() => { wanted = 0; });

/** From the first image again; what is shown stays until the answer comes. */
export async function restart() {
  generation += 1;
  const mine = generation;
  const reach = items.value.length;
  next = null;
  wanted = 0;
  try {
    const answer = await api.images(asked(null, PAGE));
    if (mine !== generation) return;
    next = answer.next;
    batch(() => {
      items.value = answer.images;
      count.value = answer.total;
      problem.value = null;
    });
    if (reach > PAGE && !filtered.value) await need(reach - 1);
  } catch (error) {
    if (mine === generation) problem.value = error;
  }
}

/** @param {Partial<Filter>} changes */
export function choose(changes) {
  filter.value = { ...filter.value, ...changes };
  items.value = items.value.slice(0, PAGE);
  return restart();
}

export const loadFacets = () => api.facets().then((found) => { facets.value = found; }, () => {});

/** @param {import("../api.js").Image} image  made just now, changed, or brought back */
function put(image) {
  const place = items.value.findIndex((other) => other.id === image.id);
  if (filter.value.trashed !== Boolean(image.trashed)) {
    drop([image.id]);
  } else if (place >= 0) {
    items.value = items.value.with(place, image);
  } else if (!filtered.value && filter.value.order === "new") {
    const before = items.value.findIndex((other) => other.created <= image.created);
    if (before < 0 && next !== null) return;
    batch(() => {
      items.value = before < 0 ? [...items.value, image] : items.value.toSpliced(before, 0, image);
      count.value = (count.value ?? 0) + 1;
    });
  }
}

/** @param {string[]} ids */
export function drop(ids) {
  const gone = new Set(ids);
  const left = items.value.filter((image) => !gone.has(image.id));
  if (left.length === items.value.length) return;
  batch(() => {
    count.value = Math.max(left.length, count.value - (items.value.length - left.length));
    items.value = left;
  });
}

/** The neighbours of an image in the gallery's order, null where there is none or it is not shown. */
export function neighbours(id) {
  const place = items.value.findIndex((image) => image.id === id);
  if (place < 0) return { before: null, after: null };
  if (place > items.value.length - 20) need(place + PAGE);
  return { before: items.value[place - 1] ?? null, after: items.value[place + 1] ?? null };
}

/** Asks for the first page, once; afterwards the events keep it true. */
export function open() {
  if (started) return;
  started = true;
  events.addEventListener("image", (event) => put(event.detail.image));
  events.addEventListener("gone", (event) => { if (event.detail.images) drop(event.detail.images); });
  events.addEventListener("reset", restart);
  events.addEventListener("open", restart);
  restart();
}
