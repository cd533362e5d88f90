/** Sending the wish, and what the stage shows. */
import { api, freshKey, online } from "./api.js";
import { toast, toastError } from "./parts/toast.js";
import { computed, signal } from "./preact.js";
import { chosen, jobNamed, progress, putJob, recent, running } from "./state.js";
import { chosenStyles, remember, request } from "./wish.js";

/** The job that was sent last from here, while it is of interest. */
export const followed = signal(null);
/** Whether a wish is on its way to the server. */
export const sending = signal(false);
/** The step of the film that is looked at, null for the finished image. */
export const frame = signal(null);
/** The other image of the comparison with a slider as `{image, label}`, null where there is none. */
export const compared = signal(null);

/**
 * Send a wish: that of the form, or another.
 * @param {import("./api.js").Wish} [other] @returns {Promise<import("./api.js").Job|null>}
 */
export async function run(other = null) {
  if (sending.value) return null;
  if (!online.value) {
    toast("The server is away.", { hint: "Nothing is lost: run it when it is back." });
    return null;
  }
  sending.value = true;
  try {
    const body = other ? { request: other } : { request: request.value, styles: chosenStyles.value };
    const { job } = await api.submit(body, freshKey());
    if (!other) remember();
    putJob(jobNamed(job.id) ?? job);
    followed.value = job.id;
    show(null);
    return job;
  } catch (error) {
    toastError(error);
    return null;
  } finally {
    sending.value = false;
  }
}

/** Put an image on the stage; null follows what runs. @param {import("./api.js").Image|null} image */
export function show(image) {
  chosen.value = image;
  frame.value = null;
  compared.value = null;
}

/** The image before or after the one that is shown. @param {-1|1} way */
export function showNext(way) {
  const now = view.value;
  const at = now.kind === "image" ? recent.value.findIndex((image) => image.id === now.image.id) : -1;
  const next = recent.value[at + way];
  if (next) show(next);
}

/**
 * What stands on the stage: `{kind: "image", image}`, `{kind: "live"|"loading"|"waiting"|"failed"|"cancelled", job}`
 * or `{kind: "empty"}`.
 */
export const view = computed(() => {
  if (chosen.value) return { kind: "image", image: chosen.value };
  const mine = followed.value && jobNamed(followed.value);
  const job = (mine?.state === "running" && mine) || running.value[0];
  if (job) return { kind: progress.value.has(job.id) ? "live" : "loading", job };
  if (mine && ["failed", "waiting"].includes(mine.state)) return { kind: mine.state, job: mine };
  if (mine?.state === "cancelled" && mine.images_done === 0) return { kind: "cancelled", job: mine };
  if (recent.value.length) return { kind: "image", image: recent.value[0] };
  return { kind: "empty" };
});
