/** A comparison that was accepted: its job, and its images by their place. */
import { api, events } from "../api.js";
import { useEffect, useState } from "../preact.js";
import { jobNamed } from "../state.js";

/** @returns {{job: object|null, images: Map<number, object>, error: Error|null, again: () => void}} */
export function useComparison(id) {
  const [found, setFound] = useState({ id: null, job: null, images: new Map(), error: null });
  const ask = () => api.job(id).then(
    ({ job, images }) => setFound({ id, job, images: new Map(images.map((image) => [image.number, image])), error: null }),
    (error) => setFound((was) => ({ ...was, id, error })),
  );
  useEffect(() => {
    if (!id) return undefined;
    ask();
    const onJob = ({ detail }) => { if (detail.job.id === id) setFound((was) => (was.id === id ? { ...was, job: { ...was.job, ...detail.job } } : was)); };
    const onImage = ({ detail: { image } }) => {
      if (image.job === id) setFound((was) => (was.id === id ? { ...was, images: new Map(was.images).set(image.number, image) } : was));
    };
    const onGone = ({ detail }) => { if (detail.images || detail.job === id) ask(); };
    const told = [["job", onJob], ["image", onImage], ["gone", onGone], ["reset", ask], ["open", ask]];
    for (const [name, act] of told) events.addEventListener(name, act);
    return () => { for (const [name, act] of told) events.removeEventListener(name, act); };
  }, [id]);
  if (found.id !== id) return { job: jobNamed(id), images: new Map(), error: null, again: ask };
  return { ...found, again: ask };
}
