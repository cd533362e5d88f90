/** The axes of a comparison: what varies, its values as they are typed, and the body that is sent. */
import { keep, kept } from "../kept.js";
import { computed, effect, signal } from "../preact.js";
import { choices, models } from "../state.js";
import { request } from "../wish.js";
import { MOST, numbersIn } from "./numbers.js";

/** @typedef {{field: string, text: string, chosen: string[]}} AxisDraft  `text`: of numbers and prompts; `chosen`: of names */

const KEY = "darkroom.compare";
const BEGIN = [
  { field: "guidance", text: "1, 3, 6", chosen: [] },
  { field: "seed", text: "1, 2, 3", chosen: [] },
];
/** What stands in a fresh axis. */
const USUAL = {
  steps: "4, 8, 12, 20", guidance: "1, 3, 6", seed: "1, 2, 3", strength: "0.3, 0.5, 0.7, 0.9", eta: "0, 0.5, 1", rescale: "0, 0.4, 0.7",
  clip_skip: "1, 2", noise_level: "0, 20, 100", image_guidance: "1, 1.5, 2", guidance_start: "0, 0.2", guidance_end: "0.5, 0.8, 1",
  variation_strength: "0, 0.1, 0.3", hires_strength: "0.3, 0.5, 0.7",
};
/** Names that work with every model. */
const LIKELY = { sampler: ["euler", "dpmpp_2m", "ddim"], schedule: ["karras", "normal", "trailing"] };
const NAMES = ["columns", "rows", "tables"];
/** Where an axis runs. */
export const placeOf = (at) => NAMES[at];

const areAxes = (value) => Array.isArray(value) && value.length > 0 && value.every(({ field, text, chosen }) => field && typeof text === "string" && Array.isArray(chosen));

/** @type {import("../preact.js").Signal<AxisDraft[]>} */
export const axes = signal(kept(KEY, BEGIN, areAxes));
effect(() => keep(KEY, axes.value));

/** The kinds of axes that there are: `{field, label, kind}`. */
export const definitions = computed(() => choices.value.axes ?? []);
const definitionOf = (field) => definitions.value.find((one) => one.field === field);
export const labelOf = (field) => definitionOf(field)?.label ?? field;

/** Names to choose from, null where values are typed. @param {string} field */
export function namesOf(field) {
  if (field === "model") return models.value.map(({ name }) => ({ value: name, label: name }));
  const list = { sampler: choices.value.samplers, schedule: choices.value.schedules }[field];
  return list ? list.map((one) => ({ value: one.name, label: one.label ?? one.name })) : null;
}

export const isText = (field) => field === "prompt" || field === "negative";
const isWhole = (field) => definitionOf(field)?.kind === "integer";

/** The values of an axis and what is wrong with it. @param {AxisDraft} axis */
export function valuesOf(axis) {
  if (namesOf(axis.field)) {
    const known = axis.chosen.filter((name) => namesOf(axis.field).some(({ value }) => value === name));
    return { values: known, wrong: known.length ? null : "Choose at least one." };
  }
  if (isText(axis.field)) {
    const all = axis.text.replace(/\n+$/, "").split("\n").map((line) => line.trim());
    // An empty line is a value of its own where it means something: no negative prompt.
    const lines = [...new Set(axis.field === "negative" && axis.text.trim() ? all : all.filter(Boolean))];
    return { values: lines, wrong: lines.length ? null : "Write one on each line." };
  }
  const { values, wrong } = numbersIn(axis.text, isWhole(axis.field));
  if (wrong !== null) return { values, wrong: `“${wrong}” is ${isWhole(axis.field) ? "no whole number" : "no number"}. Such as 4, 8, 12 or 1-10 by 3.` };
  if (!values.length) return { values, wrong: "Write numbers, such as 4, 8, 12 or 1-10 by 3." };
  return { values, wrong: values.length > MOST ? `At most ${MOST} values.` : null };
}

const short = (value) => (value === "" ? "none" : String(value));

/** The axes as the server takes them, or null while something is wrong. */
export const grid = computed(() => {
  const said = axes.value.map((axis) => ({ axis, ...valuesOf(axis) }));
  if (said.some(({ wrong }) => wrong !== null)) return null;
  return {
    axes: said.map(({ axis, values }) => ({
      field: axis.field, label: labelOf(axis.field), values,
      labels: values.map((value) => namesOf(axis.field)?.find((one) => one.value === value)?.label ?? short(value)),
    })),
  };
});

export const cells = computed(() => (grid.value ? grid.value.axes.reduce((many, axis) => many * axis.values.length, 1) : 0));

/** The wish of every cell: that of Create, one image each. */
export const base = computed(() => {
  const { count: _, batch: __, ...wish } = request.value;
  return wish;
});

/** @param {number} at @param {Partial<AxisDraft>} changes */
export const change = (at, changes) => { axes.value = axes.value.map((axis, place) => (place === at ? { ...axis, ...changes } : axis)); };

/** Vary something else along this axis. */
export function vary(at, field) {
  const usual = isText(field) ? request.value[field] ?? "" : USUAL[field] ?? "";
  const names = namesOf(field)?.map(({ value }) => value) ?? [];
  const wanted = [request.value[field], ...(LIKELY[field] ?? names.slice(0, 4))];
  change(at, { field, text: String(usual), chosen: names.filter((name) => wanted.includes(name)) });
}

export const unused = (at) => definitions.value.filter(({ field }) => axes.value[at]?.field === field || !axes.value.some((axis) => axis.field === field));

export function add() {
  const next = unused(-1).find(({ field }) => ["steps", "sampler", "guidance", "seed"].includes(field)) ?? unused(-1)[0];
  axes.value = [...axes.value, { field: next.field, text: "", chosen: [] }];
  vary(axes.value.length - 1, next.field);
}

export const take = (at) => { axes.value = axes.value.filter((_, place) => place !== at); };
/** Columns become rows, and rows columns. */
export const swap = () => { const [first, second, ...rest] = axes.value; axes.value = [second, first, ...rest]; };

/** Tables that are often wanted. */
export const PRESETS = [["model", "prompt"], ["steps", "guidance"], ["sampler", "seed"], ["guidance", "seed"], ["strength", "seed"]];

/** @param {string[]} fields  columns, rows, tables */
export function takePreset(fields) {
  axes.value = fields.map((field) => ({ field, text: "", chosen: [] }));
  fields.forEach((field, at) => vary(at, field));
}
