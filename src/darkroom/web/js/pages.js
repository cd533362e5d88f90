/**
 * Every page, in the order of the rail.  A page's module exports its component as default and is
 * loaded when it is first opened; it gets the current route as `route`.
 *
 * @typedef {{name: string, title: string, icon?: string, far?: boolean, load: () => Promise<any>}} Page
 *
 * `icon`: its place in the rail, none without.  `far`: at the rail's end, and not in the phone's bar.
 */

/** @type {Page[]} */
export const pages = [
  { name: "create", title: "Create", icon: "pencil", load: () => import("./pages/create.js") },
  { name: "compare", title: "Compare", icon: "columns", load: () => import("./pages/compare.js") },
  { name: "gallery", title: "Gallery", icon: "grid", load: () => import("./pages/gallery.js") },
  { name: "models", title: "Models", icon: "cube", load: () => import("./pages/models.js") },
  { name: "settings", title: "Settings", icon: "cog", load: () => import("./pages/settings.js") },
  { name: "how", title: "How it works", icon: "question", far: true, load: () => import("./pages/how.js") },
  { name: "image", title: "Image", load: () => import("./pages/image.js") },
];

/** @param {string} name @returns {Page} */
export const pageNamed = (name) => pages.find((page) => page.name === name) ?? pages[0];
