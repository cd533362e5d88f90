/** How an image was made, in the words of the field: a table of what matters, and the rest folded. */
import { copySeed } from "../actions.js";
import { Icon } from "../parts/icons.js";
import { html } from "../preact.js";
import { href } from "../router.js";
import { choices } from "../state.js";
import { TASKS } from "../wish.js";

/** Fields in the order in which they are shown, with the values that say nothing. */
const ROWS = [
  ["requested_steps", "Steps asked for"], ["rescale", "Rescale", 0], ["guidance_start", "Guidance from", 0], ["guidance_end", "Guidance until", 1],
  ["image_guidance", "Image guidance"], ["strength", "Strength"], ["noise_level", "Noise level"], ["eta", "Eta", 0], ["churn", "Churn", 0],
  ["noise_scale", "Noise scale", 1], ["clip_skip", "CLIP skip", 1], ["prompt_syntax", "Prompt read as", "a1111"], ["variation_strength", "Variation strength", 0],
  ["variation_seed", "Variation seed"], ["seed_offset", "Seed offset", 0], ["noise", "Noise of", "cpu"], ["tiling", "Tiling", "none"],
  ["hires", "Enlarged by"], ["hires_strength", "Strength of the second pass"], ["hires_steps", "Steps of the second pass"], ["hires_enlarger", "Enlarged with"],
  ["mask_invert", "Mask inverted", false], ["mask_grow", "Mask grown by", 0], ["mask_blur", "Mask softened by", 0], ["fill", "Masked part begins as"],
  ["region", "Model sees"], ["region_padding", "Padding"], ["extend", "Extended"], ["ema", "Averaged weights", false], ["vae", "Autoencoder"],
];
const FOLDED = [
  ["prediction", "Predicts"], ["precision", "Precision"], ["engine", "Engine"], ["device", "Device"], ["software", "Software"],
  ["watermark", "Invisible watermark"], ["model_sha256", "SHA-256 of the model"], ["input_sha256", "SHA-256 of the input"],
  ["mask_sha256", "SHA-256 of the mask"], ["depth_sha256", "SHA-256 of the depth map"], ["vae_sha256", "SHA-256 of the autoencoder"],
];

/** @param {unknown} value */
function spelt(value) {
  if (value === true) return "yes";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toFixed(4))) : String(value);
}

/** The rows of `fields` that say something. @returns {[string, string][]} */
export const rowsOf = (recipe, fields) => fields
  .filter(([name, , usual]) => recipe[name] !== null && recipe[name] !== undefined && recipe[name] !== usual && !(Array.isArray(recipe[name]) && !recipe[name].length))
  .map(([name, label]) => [label, spelt(recipe[name])]);

const labelOf = (list, name) => list.find((each) => each.name === name)?.label ?? name;

export function RecipeTable({ image, recipe }) {
  if (!recipe) return html`<p class="muted">No recipe is known for this image.</p>`;
  const { samplers, schedules } = choices.value;
  const schedule = labelOf(schedules, recipe.schedule);
  const task = TASKS.find((each) => each.name === recipe.task)?.title ?? recipe.task;
  const versions = Object.entries(recipe.versions ?? {}).map(([name, version]) => `${name} ${version}`).join(", ");
  return html`
    <dl class="recipe">
      <${Row} name="Model"><a href=${href("models", recipe.model)}>${recipe.model}</a></${Row}>
      <${Row} name="Task">${task}</${Row}>
      <${Row} name="Seed"><span>${recipe.seed}</span>
        <button class="icon-button" aria-label="Copy the seed" onClick=${() => copySeed({ ...image, seed: recipe.seed })}><${Icon} name="copy" /></button></${Row}>
      <${Row} name="Size">${image.width} × ${image.height}</${Row}>
      <${Row} name="Steps">${recipe.steps}</${Row}>
      <${Row} name="Guidance">${spelt(recipe.guidance)}</${Row}>
      <${Row} name="Sampler">${labelOf(samplers, recipe.sampler)}</${Row}>
      <${Row} name="Schedule">${schedule}</${Row}>
      ${rowsOf(recipe, ROWS).map(([label, value]) => html`<${Row} key=${label} name=${label}>${value}</${Row}>`)}
    </dl>
    <details class="recipe-more">
      <summary>Engine and hashes</summary>
      <dl class="recipe">
        ${rowsOf(recipe, FOLDED).map(([label, value]) => html`<${Row} key=${label} name=${label}><span class=${/^[0-9a-f]{64}$/.test(value) ? "mono recipe-hash" : ""}>${value}</span></${Row}>`)}
        ${versions && html`<${Row} name="Versions">${versions}</${Row}>`}
      </dl>
    </details>`;
}

const Row = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
