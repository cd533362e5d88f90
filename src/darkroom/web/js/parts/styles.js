/** Styles: chips under the prompt, and the library that they come from. */
import { api } from "../api.js";
import { html, useId, useState } from "../preact.js";
import { allStyles, reload, styles } from "../state.js";
import { beside, chosenStyles, toggleStyle, wish } from "../wish.js";
import { ask, openDialog } from "./dialog.js";
import { Icon } from "./icons.js";
import { showWildcards } from "./prompt.js";
import { toast, toastError } from "./toast.js";

const OFFERED = 3;

export function Styles() {
  const chosen = chosenStyles.value;
  const { recentStyles = [] } = beside.value;
  const names = allStyles.value.map((style) => style.name);
  const others = [...new Set([...recentStyles.filter((name) => names.includes(name)), ...names])].filter((name) => !chosen.includes(name));
  const offered = others.slice(0, Math.max(1, OFFERED - chosen.length));
  return html`<div class="row wrap styles" role="group" aria-label="Styles">
    ${chosen.map((name) => html`<button class="chip" key=${name} aria-pressed="true" onClick=${() => toggle(name)}>${name}<${Icon} name="close" /></button>`)}
    ${offered.map((name) => html`<button class="chip" key=${name} aria-pressed="false" onClick=${() => toggle(name)}>${name}</button>`)}
    <button class="chip" aria-haspopup="dialog" onClick=${showLibrary}>+ ${names.length || ""} styles</button>
    <button class="chip mono" aria-haspopup="dialog" aria-label="Wildcards {a|b}" title="Words that are drawn anew for each image" onClick=${showWildcards}>{a|b}</button>
  </div>`;
}

function toggle(name) {
  toggleStyle(name);
  const { recentStyles = [] } = beside.value;
  beside.value = { ...beside.value, recentStyles: [name, ...recentStyles.filter((other) => other !== name)].slice(0, 6) };
}

const showLibrary = () => openDialog({ title: "Styles", body: Library, kind: "wide" });

function Library() {
  const [find, setFind] = useState("");
  const wanted = find.toLowerCase();
  const fits = (style) => `${style.name} ${style.prompt}`.toLowerCase().includes(wanted);
  const groups = styles.value.map((group) => ({ ...group, styles: group.styles.filter(fits) })).filter((group) => group.styles.length);
  return html`
    <div class="row library-head">
      <input class="text-box" type="search" aria-label="Find a style" placeholder="Find" value=${find} onInput=${(event) => setFind(event.target.value)} />
      <button class="button" onClick=${showSaving}>Save a style</button>
    </div>
    ${!groups.length && html`<p class="muted">No style is called so.</p>`}
    ${groups.map((group) => html`<section key=${group.name} class="library-group" aria-label=${group.name}>
      <h3>${group.name}</h3>
      <div class="row wrap">${group.styles.map((style) => html`<${Chip} key=${style.name} style=${style} />`)}</div>
    </section>`)}`;
}

function Chip({ style: entry }) {
  const pressed = chosenStyles.value.includes(entry.name);
  const says = [entry.prompt, entry.negative && `without ${entry.negative}`].filter(Boolean).join(", ");
  return html`<span class="row library-chip">
    <button class="chip" aria-pressed=${pressed} title=${says} onClick=${() => toggle(entry.name)}>${entry.name}</button>
    ${entry.own && html`<button class="icon-button" aria-label=${`Remove ${entry.name}`} onClick=${() => remove(entry)}><${Icon} name="trash" /></button>`}
  </span>`;
}

async function remove(entry) {
  if (!(await ask({ title: "Remove this style?", text: `${entry.name}: ${entry.prompt}`, yes: "Remove" }))) return;
  try {
    await api.removeStyle(entry.name);
    await reload("styles");
  } catch (error) {
    toastError(error);
  }
}

const showSaving = () => openDialog({ title: "Save a style", body: Saving });

function Saving({ close }) {
  const id = useId();
  const [error, setError] = useState(null);
  const save = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const style = Object.fromEntries(["name", "prompt", "negative"].map((field) => [field, String(form.get(field)).trim()]));
    try {
      await api.saveStyle(style);
      await reload("styles");
      toast(`${style.name} is saved.`);
      close(true);
    } catch (refused) {
      setError(refused);
    }
  };
  return html`<form class="stack" onSubmit=${save}>
    <div class="field"><label class="label" for=${`${id}n`}>Name</label><input id=${`${id}n`} name="name" class="text-box" required autofocus /></div>
    <div class="field"><label class="label" for=${`${id}p`}>Added to the prompt; <code>{prompt}</code> stands for it</label>
      <textarea id=${`${id}p`} name="prompt" class="text-box" rows="2">${wish.value.prompt}</textarea></div>
    <div class="field"><label class="label" for=${`${id}x`}>Added to the negative prompt</label>
      <textarea id=${`${id}x`} name="negative" class="text-box" rows="2">${wish.value.negative}</textarea></div>
    ${error && html`<div class="notice" role="alert"><b>${error.message}</b><span class="hint">${error.hint}</span></div>`}
    <div class="row dialog-answers"><button class="button main">Save</button></div>
  </form>`;
}
