/** A comparison that was accepted: its job, and its images by their place. */
import { api, events } from "../api.js";
import { useEffect, useState } from "../preact.js";
import { jobNamed } from "../state.js";

/** @returns {{job: object|null, images: Map<number, object>, error: Error|null, again: () => void}} */
export function useComparison(id) {
  const [found, setFound] = useState(() => nothing(id));
  useEffect(() => {
    if (!id) return undefined;
    // What the events told while the answer was on its way is newer than the answer.
    const change = (act) => setFound((was) => act(was.id === id ? was : nothing(id)));
    const ask = () => api.job(id).then(
      ({ job, images }) => change((was) => ({ ...was, job: { ...job, ...was.told }, images: new Map([...byNumber(images), ...was.images]), error: null })),
      (error) => change((was) => ({ ...was, error })),
    );
    const onJob = ({ detail: { job } }) => {
      if (job.id !== id) return;
      const { requests: _, ...told } = job;
      change((was) => ({ ...was, told, job: was.job && { ...was.job, ...told } }));
      if (job.state === "done") ask();
    };
    const onImage = ({ detail: { image } }) => { if (image.job === id) change((was) => ({ ...was, images: new Map(was.images).set(image.number, image) })); };
    const onGone = ({ detail: { images } }) => {
      if (images) change((was) => ({ ...was, images: new Map([...was.images].filter(([, image]) => !images.includes(image.id))) }));
    };
    const told = [["job", onJob], ["image", onImage], ["gone", onGone], ["reset", ask], ["open", ask], ["ask again", ask]];
    for (const [name, act] of told) events.addEventListener(name, act);
    ask();
    return () => { for (const [name, act] of told) events.removeEventListener(name, act); };
  }, [id]);
  if (found.id !== id) return { ...nothing(id), job: jobNamed(id), again };
  return { ...found, again };
}

const nothing = (id) => ({ id, job: null, told: {}, images: new Map(), error: null });
const byNumber = (images) => images.map((image) => [image.number, image]);
const again = () => events.dispatchEvent(new CustomEvent("ask again"));
