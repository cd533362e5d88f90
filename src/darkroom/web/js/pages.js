/**
 * Every page, in the order of the rail.  A page's module exports its component as default and is
 * loaded when it is first opened; it gets the current route as `route`.
 *
 * @typedef {{name: string, title: string, icon?: string, far?: boolean, load: () => Promise<any>}} Page
 *
 * `icon`: its place in the rail, none without.  `far`: at the rail's end, and not in the phone's bar.
 */

/** The styles of the pages that are not shown first. */
const LATER = ["gallery", "image", "compare", "models", "settings", "how"];
let styling = null;

function styleSheet(name) {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    const failed = () => {
      link.remove();
      reject(new Error(`css/${name}.css did not load`));
    };
    Object.assign(link, { rel: "stylesheet", href: `css/${name}.css`, onload: resolve, onerror: failed });
    document.head.append(link);
  });
}

/** Load them, once; resolves when they hold.  Where the server was away they are asked for again. */
export function laterStyles() {
  styling ??= Promise.all(LATER.map(styleSheet)).catch((error) => {
    styling = null;
    throw error;
  });
  return styling;
}

const styled = (load) => async () => {
  const [module] = await Promise.all([load(), laterStyles()]);
  return module;
};

/** @type {Page[]} */
export const pages = [
  { name: "create", title: "Create", icon: "pencil", load: () => import("./pages/create.js") },
  { name: "compare", title: "Compare", icon: "columns", load: styled(() => import("./pages/compare.js")) },
  { name: "gallery", title: "Gallery", icon: "grid", load: styled(() => import("./pages/gallery.js")) },
  { name: "models", title: "Models", icon: "cube", load: styled(() => import("./pages/models.js")) },
  { name: "settings", title: "Settings", icon: "cog", load: styled(() => import("./pages/settings.js")) },
  { name: "how", title: "How it works", icon: "question", far: true, load: styled(() => import("./pages/how.js")) },
  { name: "image", title: "Image", load: styled(() => import("./pages/image.js")) },
];

/** @param {string} name @returns {Page} */
export const pageNamed = (name) => pages.find((page) => page.name === name) ?? pages[0];
