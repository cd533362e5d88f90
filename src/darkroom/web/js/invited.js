/** Wishes that stand in the address, as the demonstrations' commands open the page with them. */
import { go } from "./router.js";
import { seedIn } from "./seeds.js";
import { TASKS, say, sayNothing } from "./wish.js";

const TEXTS = ["prompt", "negative", "model", "sampler", "schedule", "prompt_syntax", "prediction", "fill", "region"];
const NUMBERS = ["steps", "guidance", "eta", "count", "strength", "noise_level", "image_guidance", "width", "height"];

/** Take over what an address says, in place of what was said before. @param {URLSearchParams} query */
export function takeInvitation(query) {
  const task = query.get("task");
  if (!TASKS.some((known) => known.name === task)) return;
  const said = Object.fromEntries(TEXTS.filter((name) => query.has(name)).map((name) => [name, query.get(name)]));
  for (const name of NUMBERS) {
    const value = Number(query.get(name) || NaN);
    if (Number.isFinite(value)) said[name] = value;
  }
  const seed = seedIn(query.get("seed") ?? "");
  if (seed !== null) said.seed = seed;
  sayNothing();
  say({ task, ...said });
  go("create", null, {}, { replace: true });
}
