/** What is known of a model, in words. */
import { gigabytes } from "../words.js";

const TASKS = {
  txt2img: "Text to image", inpaint: "Inpainting", depth2img: "Depth to image", upscale: "Upscaler",
  vary: "Variations of images", pix2pix: "Follows instructions",
};
const FAMILIES = { sd1: "Stable Diffusion 1", sd2: "Stable Diffusion 2" };

export const taskOf = (model) => TASKS[model.task] ?? model.task;
export const familyOf = (model) => FAMILIES[model.family] ?? model.family;

/** Parameters as the field counts them. @param {number} count */
export function parametersOf(count) {
  if (count === null || count === undefined) return "";
  return count >= 1e9 ? `${(count / 1e9).toFixed(2)} billion` : `${(count / 1e6).toFixed(1)} million`;
}

export const sizeOf = ({ native_width: width, native_height: height }) => (width ? `${width} × ${height} px` : "");
export const predictsOf = (model) => ({ eps: "the noise (eps)", v: "the velocity (v)" })[model.prediction] ?? model.prediction;

/** One line below the name. */
export const lineOf = (model) => [taskOf(model), sizeOf(model), gigabytes(model.bytes), model.demonstration && "demonstration, built in"].filter(Boolean).join(" · ");
