/** What can be done with many images at once. */
import { api } from "../api.js";
import { batch, computed, signal } from "../preact.js";
import { ask } from "../parts/dialog.js";
import { toast, toastError } from "../parts/toast.js";
import { dropImages, putImage } from "../state.js";
import { drop, items, loadFacets, restart } from "./collection.js";

/** The ids that are chosen. */
export const selected = signal(new Set());
/** The images that are chosen and loaded, in the gallery's order. */
export const selectedImages = computed(() => items.value.filter((image) => selected.value.has(image.id)));

export const images = (number) => `${number.toLocaleString()} ${number === 1 ? "image" : "images"}`;

/** @param {Iterable<string>} ids */
export const select = (ids) => { selected.value = new Set(ids); };

/** @param {string} id */
export function toggle(id) {
  const next = new Set(selected.value);
  if (!next.delete(id)) next.add(id);
  selected.value = next;
}

const AT_ONCE = 1000; // ids that the server takes in one request

/** @param {string[]} ids @param {(ids: string[]) => Promise<unknown>} act */
async function inParts(ids, act) {
  for (let first = 0; first < ids.length; first += AT_ONCE) await act(ids.slice(first, first + AT_ONCE));
}

/** Into the trash, with a way back. @param {string[]} ids */
export async function remove(ids) {
  try {
    await inParts(ids, api.remove);
  } catch (error) {
    return toastError(error);
  }
  batch(() => {
    drop(ids);
    dropImages(ids);
    select([]);
  });
  toast(`${images(ids.length)} deleted.`, {
    action: "Undo",
    act: () => inParts(ids, api.restore).then(restart).then(() => toast(`${images(ids.length)} back.`)).catch(toastError),
  });
}

/** Out of the trash. @param {string[]} ids */
export async function bringBack(ids) {
  try {
    await inParts(ids, api.restore);
    drop(ids);
    select([]);
    toast(`${images(ids.length)} back.`);
  } catch (error) {
    toastError(error);
  }
}

/** Out of the trash for good, if that is meant. @param {string[]} ids */
export async function purge(ids) {
  const sure = await ask({
    title: `Delete ${images(ids.length)} for good?`, yes: "Delete for good", no: "Keep",
    text: "The files are removed from the disk. This cannot be undone.",
  });
  if (!sure) return;
  try {
    await inParts(ids, api.purge);
    drop(ids);
    select([]);
  } catch (error) {
    toastError(error);
  }
}

/** @param {string[]} ids */
export async function download(ids) {
  if (ids.length > AT_ONCE) {
    toast(`A zip file holds at most ${images(AT_ONCE)}.`, { hint: "Choose fewer at a time." });
    return;
  }
  try {
    const file = await api.zip(ids);
    const address = URL.createObjectURL(file);
    const link = Object.assign(document.createElement("a"), { href: address, download: `darkroom-${ids.length}-images.zip` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    toastError(error);
  }
}

/** The same change for each, a few at a time. @param {(image: import("../api.js").Image) => object} change */
async function changeAll(chosen, change) {
  const left = [...chosen];
  const one = async () => {
    for (let image = left.shift(); image; image = left.shift()) {
      const { image: now } = await api.change(image.id, change(image));
      putImage(now);
      items.value = items.value.map((other) => (other.id === now.id ? now : other));
    }
  };
  try {
    await Promise.all([one(), one(), one()]);
  } catch (error) {
    toastError(error);
  }
}

/** All to favourites, or, where all are, none of them. */
export function favour(chosen) {
  const favourite = !chosen.every((image) => image.favourite);
  return changeAll(chosen, () => ({ favourite }));
}

/** @param {string[]} add @param {string[]} take */
export async function tag(chosen, add, take) {
  await changeAll(chosen, (image) => ({ tags: [...new Set([...image.tags.filter((name) => !take.includes(name)), ...add])] }));
  loadFacets();
}
