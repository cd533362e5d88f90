/** The models that can be used, each with what it is and why it was identified so. */
import { api } from "../api.js";
import { copyText } from "../actions.js";
import { ask, openDialog } from "../parts/dialog.js";
import { Icon } from "../parts/icons.js";
import { toast, toastError } from "../parts/toast.js";
import { html, useEffect, useState } from "../preact.js";
import { go } from "../router.js";
import { models, reload } from "../state.js";
import { modelName, say } from "../wish.js";
import { gigabytes } from "../words.js";
import { familyOf, lineOf, parametersOf, predictsOf, sizeOf, taskOf } from "./facts.js";

/** Imported models whose files were moved or deleted. */
function useGone() {
  const [gone, setGone] = useState([]);
  useEffect(() => { api.models().then((answer) => setGone(answer.gone ?? []), () => {}); }, [models.value]);
  return gone;
}

export function Installed({ open }) {
  const gone = useGone();
  return html`<section aria-labelledby="models-installed">
    <h2 id="models-installed">Installed</h2>
    <div class="models">${models.value.map((model) => html`<${Model} key=${model.name} model=${model} open=${model.name === open || models.value.length === 1} />`)}
      ${gone.map((name) => html`<div class="card model-line" key=${name}><div class="model-name"><h3>${name}</h3><p class="axis-wrong small">Its file is not where it was when it was imported.</p></div>
        <button class="button small" onClick=${() => remove({ name })}>Remove</button></div>`)}</div>
  </section>`;
}

function Model({ model, open }) {
  const used = model.name === modelName.value;
  const [unfolded] = useState(open); // at first; afterwards it is the reader's
  return html`<article class="card model" aria-label=${model.name}>
    <div class="model-head">
      <div class="model-name"><h3>${model.name}${used && html`<span class="model-used">in use</span>`}</h3><p class="muted small">${model.usable === false ? model.why_not : lineOf(model)}</p></div>
      <div class="row wrap">
        ${model.usable !== false && html`<button class="button small" onClick=${() => { say({ model: model.name }); go("create"); }}>Use</button>`}
        ${model.words > 0 && html`<button class="button small" onClick=${() => showWords(model)}>${model.words} words</button>`}
        ${model.usable !== false && !model.demonstration && html`<button class="button small" onClick=${() => convert(model)}>Convert</button>`}
        ${model.removable && html`<button class="button small" onClick=${() => remove(model)}>Remove</button>`}
      </div>
    </div>
    ${model.usable !== false && html`<details class="model-more" open=${unfolded}>
      <summary>What it is, and how that is known</summary>
      <${Facts} model=${model} />
    </details>`}
  </article>`;
}

function Facts({ model }) {
  const { defaults = {} } = model;
  const usual = Object.entries(defaults).filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => `${name} ${value}`).join(", ");
  const rows = [
    ["Identified as", `${familyOf(model)}, ${taskOf(model).toLowerCase()}`], ["Because of", model.why], ["Predicts", predictsOf(model)], ["Known by", model.prediction_reason],
    ["Native size", sizeOf(model)], ["Parameters", parametersOf(model.parameters)], ["On disk", [gigabytes(model.bytes), model.container].filter(Boolean).join(", ")],
    ["Its defaults", usual], ["Licence", model.licence ?? "not said in the file"], ["From", { darkroom: "comes with Darkroom", imported: "imported, its file stays where it is" }[model.from] ?? model.from],
    ["The same file as", model.same_as],
  ].filter(([, value]) => value);
  return html`<dl class="recipe model-facts">
    ${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    <div><dt>SHA-256</dt><dd><${Hash} model=${model} /></dd></div>
  </dl>`;
}

/** Reading a file of gigabytes takes a while: it is asked for. */
function Hash({ model }) {
  const [hash, setHash] = useState(model.sha256);
  const [busy, setBusy] = useState(false);
  const compute = async () => {
    setBusy(true);
    try {
      setHash((await api.model(model.name)).model.sha256);
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  if (!hash) return html`<button class="button small" disabled=${busy} onClick=${compute}>${busy ? "Reading the whole file…" : "Compute"}</button>`;
  return html`<span class="mono recipe-hash">${hash}</span><button class="icon-button" aria-label="Copy the SHA-256" onClick=${() => copyText(hash, "SHA-256")}><${Icon} name="copy" /></button>`;
}

const showWords = (model) => openDialog({ title: `Words that ${model.name} knows`, kind: "wide", body: () => html`<${Words} model=${model} />` });

function Words({ model }) {
  const [words, setWords] = useState(null);
  const [find, setFind] = useState("");
  useEffect(() => { api.model(model.name).then(({ model: whole }) => setWords(whole.words_known), toastError); }, []);
  const shown = (words ?? []).filter((word) => word.includes(find.trim().toLowerCase()));
  return html`<p class="muted">A demonstration of few words. What it does not know, it says when you write it.</p>
    <input class="text-box models-find" type="search" aria-label="Find a word" placeholder="Find" value=${find} onInput=${(event) => setFind(event.target.value)} />
    <ul class="words" aria-busy=${words === null}>${shown.map((word) => html`<li key=${word}>${word}</li>`)}</ul>
    ${words && !shown.length && html`<p class="muted">It does not know this word.</p>`}`;
}

const FORMATS = [
  { to: "safetensors", precision: null, label: "One safetensors file", help: "numbers as they are" },
  { to: "safetensors", precision: "fp16", label: "One safetensors file, fp16", help: "half the size of fp32" },
  { to: "safetensors", precision: "bf16", label: "One safetensors file, bf16", help: "half the size of fp32, wider range" },
  { to: "diffusers", precision: null, label: "A folder of diffusers", help: "for programs that read those" },
];

function convert(model) {
  return openDialog({
    title: `Convert ${model.name}`,
    body: ({ close }) => html`<p class="muted">Writes a copy into the models folder; the model itself stays as it is.</p>
      <ul class="model-formats">${FORMATS.map((format) => html`<li key=${format.label}><button class="button" onClick=${() => close() ?? start(model, format)}>
        <span>${format.label}</span><span class="muted small">${format.help}</span></button></li>`)}</ul>`,
  });
}

async function start(model, { to, precision }) {
  try {
    const { name } = await api.convert(model.name, to, precision);
    toast(`${name} is being written.`);
  } catch (error) {
    toastError(error);
  }
}

async function remove(model) {
  const sure = await ask({
    title: `Remove ${model.name}?`, yes: "Remove", no: "Keep",
    text: "Darkroom forgets the model. Its file stays where it is, and it can be imported again.",
  });
  if (!sure) return;
  try {
    await api.removeModel(model.name);
    await reload("models");
    toast(`${model.name} is forgotten; its file was not touched.`);
  } catch (error) {
    toastError(error);
  }
}
