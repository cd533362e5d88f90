/** Where the page is: `#/create`, `#/gallery`, `#/image/ID`, with what follows `?` as parameters. */
import { signal } from "./preact.js";

/** @typedef {{page: string, id: string|null, query: URLSearchParams}} Route */

/** @returns {Route} */
function read() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/");
  const id = rest.length ? decoded(rest.join("/")) : null;
  return { page: page || "create", id, query: new URLSearchParams(search ?? "") };
}

/** As it stands where it is badly encoded: nothing has such a name, and the page says so. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The current route, a signal. */
export const route = signal(read());
addEventListener("hashchange", () => { route.value = read(); });

/**
 * The address of a page, for links.
 * @param {string} page @param {string|null} [id] @param {Record<string, string>} [query]
 */
export function href(page, id = null, query = {}) {
  const search = new URLSearchParams(query).toString();
  return `#/${page}${id === null ? "" : `/${encodeURIComponent(id)}`}${search ? `?${search}` : ""}`;
}

/** Go there; `replace`: without a step in the browser's history. */
export function go(page, id = null, query = {}, { replace = false } = {}) {
  const target = href(page, id, query);
  if (replace) {
    history.replaceState(null, "", target);
    route.value = read();
  } else {
    location.hash = target;
  }
}
