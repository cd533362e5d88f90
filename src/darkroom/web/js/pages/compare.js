/** Compare: one wish for every combination of a few values, as one job and one labelled table. */
import { add, axes, base, cells, grid, labelOf, PRESETS, swap, takePreset } from "../compare/axes.js";
import { AxisField } from "../compare/axis_field.js";
import { Finished } from "../compare/finished.js";
import { tablePlan, useEarlier, useTablePlan } from "../compare/asking.js";
import { Planned, Table } from "../compare/table.js";
import { api, freshKey, online } from "../api.js";
import { Icon } from "../parts/icons.js";
import { ModelField } from "../parts/model.js";
import { Prompt } from "../parts/prompt.js";
import { Styles } from "../parts/styles.js";
import { toastError } from "../parts/toast.js";
import { html, useEffect, useState } from "../preact.js";
import { go, href } from "../router.js";
import { putJob } from "../state.js";
import { chosenStyles, wish } from "../wish.js";
import { counted, duration, gigabytes, shortened, when } from "../words.js";

export default function Compare({ route }) {
  useTablePlan();
  return html`<div class=${route.id ? "compare made" : "compare"}>
    <h1 class="unseen">Compare</h1>
    <div class="compare-panel">
      <div class="compare-fields"><${Fields} /><${Earlier} current=${route.id} /></div>
      <${Foot} />
    </div>
    <section class="compare-stage" aria-label="Table">
      ${route.id ? html`<${Finished} key=${route.id} id=${route.id} />` : html`<${Preview} />`}
    </section>
  </div>`;
}

function Fields() {
  const varied = (field) => axes.value.some((axis) => axis.field === field);
  const now = axes.value.map((axis) => axis.field).join();
  return html`
    <div class="row wrap compare-presets" role="group" aria-label="Often compared">
      ${PRESETS.map((fields) => html`<button class="chip" key=${fields.join()} aria-pressed=${fields.join() === now} onClick=${() => takePreset(fields)}>${fields.map(labelOf).join(" × ")}</button>`)}
    </div>
    ${axes.value.map((axis, at) => html`<${AxisField} key=${at} at=${at} />`)}
    <div class="row">
      ${axes.value.length < 3 && html`<button class="button small" onClick=${add}><${Icon} name="plus" /> ${axes.value.length === 1 ? "Rows" : "Third parameter"}</button>`}
      ${axes.value.length > 1 && html`<button class="button small" title="Columns become rows, and rows columns" onClick=${swap}><${Icon} name="swap" /> Swap</button>`}
    </div>
    <div class="compare-base">
      <h2>What all have in common</h2>
      ${varied("prompt") ? html`<p class="muted small">The prompt is compared.</p>` : html`<${Prompt} />`}
      <${Styles} />
      ${varied("model") ? html`<p class="muted small">Models are compared.</p>` : html`<${ModelField} />`}
      <p class="muted small">Everything else is as in <a href=${href("create")}>Create</a>: ${common(wish.value, varied)}.
        ${!varied("seed") && "All have the same seed, so that only what is compared differs."}</p>
    </div>`;
}

/** The other said fields in a few words. */
function common(said, varied) {
  const words = [
    ["steps", (value) => `${value} steps`], ["guidance", (value) => `guidance ${value}`], ["sampler", (value) => value], ["schedule", (value) => value],
    ["strength", (value) => `strength ${value}`], ["width", (value) => `${value} px wide`], ["height", (value) => `${value} px high`], ["seed", (value) => `seed ${value}`],
  ].filter(([field]) => said[field] !== undefined && !varied(field)).map(([field, spell]) => spell(said[field]));
  return words.length ? words.join(", ") : "the model's own defaults";
}

function Preview() {
  const { plan } = tablePlan.value;
  if (!grid.value) return html`<div class="compare-empty"><p class="muted">The table appears here as soon as every axis has values.</p></div>`;
  const shape = plan?.resolved ? plan.resolved.width / plan.resolved.height : 1;
  return html`<div class="compare-head"><h2>${counted(cells.value, "image")}</h2><span class="muted">This is how the table will be laid out.</span></div>
    <${Table} axes=${grid.value.axes} shape=${shape} caption="The table to be made" cell=${(index) => html`<${Planned} index=${index} />`} />`;
}

function Foot() {
  const { plan, error } = tablePlan.value;
  const [sending, setSending] = useState(false);
  const many = cells.value;
  const run = async () => {
    setSending(true);
    try {
      const { job } = await api.submit({ request: base.value, styles: chosenStyles.value, grid: grid.value }, freshKey());
      putJob(job);
      go("compare", job.id);
    } catch (refused) {
      toastError(refused);
    } finally {
      setSending(false);
    }
  };
  const off = !grid.value || sending || !online.value || Boolean(error);
  useEffect(() => {
    const onKey = (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      if (!event.repeat && !off) run();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
  return html`<div class="compare-foot">
    ${error
      ? html`<div class="notice" role="status"><b>${error.message}</b><span class="hint">${error.hint}</span></div>`
      : html`<div class="compare-plan" role="status">${plan && grid.value
        ? html`<b>${duration(plan.seconds)}</b><span class="muted">${gigabytes(plan.peak_bytes)} of ${gigabytes(plan.memory_total)}</span><span class="muted">${plan.device.toUpperCase()}, ${plan.precision}</span>`
        : html`<span class="muted">…</span>`}</div>`}
    <button class="button main compare-run" aria-keyshortcuts="Control+Enter" disabled=${off} onClick=${(event) => { if (event.detail < 2) run(); }}>${many ? `Make ${counted(many, "image")}` : "Make the table"}</button>
  </div>`;
}

function Earlier({ current }) {
  const jobs = useEarlier();
  if (!jobs.length) return null;
  return html`<div class="compare-base">
    <div class="spread"><h2>Earlier tables</h2>${current && html`<a class="quiet" href=${href("compare")}>New table</a>`}</div>
    <ul class="compare-list">${jobs.map((job) => html`<li key=${job.id}><a href=${href("compare", job.id)} aria-current=${job.id === current ? "true" : null}>
      <span class="cut">${shortened(job.title || "without a prompt")}</span>
      <span class="muted small">${job.grid.axes.map((axis) => axis.label).join(" × ")}, ${counted(job.images, "image")}, ${job.state === "done" ? when(job.created) : job.state}</span>
    </a></li>`)}</ul>
  </div>`;
}
