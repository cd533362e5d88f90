/**
 * What the browser keeps over reloads.  A tab has its own, so that two of them do not mix; a new
 * tab begins with what was kept last in any.
 */

/** Asked for each time: a browser may forbid them, and says so by an error. */
const OF_TAB = () => sessionStorage;
const OF_ALL = () => localStorage;

/** What is kept there, null where that is nothing, or nothing of this version's. */
function found(store, key, fits) {
  try {
    const value = JSON.parse(store().getItem(key));
    return value !== null && fits(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * @template T @param {string} key @param {T} empty  where nothing is kept
 * @param {(value: any) => boolean} fits  whether a value is what this version keeps; it may throw
 * @returns {T}
 */
export const kept = (key, empty, fits) => found(OF_TAB, key, fits) ?? found(OF_ALL, key, fits) ?? empty;

/** What was kept last in any tab. @template T @param {string} key @param {T} empty @param {(value: any) => boolean} fits @returns {T} */
export const keptByAny = (key, empty, fits) => found(OF_ALL, key, fits) ?? empty;

/** @param {string} key @param {unknown} value  kept where the browser allows it */
export function keep(key, value) {
  for (const store of [OF_TAB, OF_ALL]) {
    try {
      store().setItem(key, JSON.stringify(value));
    } catch {
      // A full or forbidden store: the page works, it only forgets at a reload.
    }
  }
}
