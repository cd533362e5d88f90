/** Tags: chips that can be taken away, and a field for new ones. */
import { openDialog } from "../parts/dialog.js";
import { Icon } from "../parts/icons.js";
import { html, useId, useState } from "../preact.js";
import { facets } from "./collection.js";
import { images, tag } from "./deeds.js";

/** @param {string} text  several, with commas between */
export const tagsIn = (text) => [...new Set(text.split(",").map((name) => name.trim()).filter(Boolean))];

/** @param {{tags: string[], onAdd: (names: string[]) => void, onTake: (name: string) => void}} props */
export function Tags({ tags, onAdd, onTake }) {
  const [text, setText] = useState("");
  const id = useId();
  const add = (event) => {
    event.preventDefault();
    const names = tagsIn(text);
    if (names.length) onAdd(names);
    setText("");
  };
  return html`<div class="tags">
    ${tags.map((name) => html`<span class="tag" key=${name}>${name}
      <button class="icon-button" aria-label=${`Take the tag ${name} away`} onClick=${() => onTake(name)}><${Icon} name="close" /></button>
    </span>`)}
    <form class="tag-form" onSubmit=${add}>
      <input class="tag-input" list=${id} value=${text} placeholder="Add a tag" aria-label="Add a tag" maxlength="100"
        onInput=${(event) => setText(event.target.value)} />
      <datalist id=${id}>${facets.value.tags.map(({ name }) => html`<option key=${name} value=${name} />`)}</datalist>
    </form>
  </div>`;
}

/** Tags of many images in a dialog. @param {import("../api.js").Image[]} chosen */
export function editTags(chosen) {
  return openDialog({
    title: `Tags of ${images(chosen.length)}`,
    body: ({ close }) => html`<${ManyTags} chosen=${chosen} close=${close} />`,
  });
}

function ManyTags({ chosen, close }) {
  const [add, setAdd] = useState([]);
  const [take, setTake] = useState([]);
  const there = [...new Set(chosen.flatMap((image) => image.tags))].filter((name) => !take.includes(name));
  const shown = [...there, ...add.filter((name) => !there.includes(name))];
  const done = () => tag(chosen, add, take).then(() => close(true));
  return html`
    <p class="muted">What is added here is added to each; what is taken away is taken from each that has it.</p>
    <${Tags} tags=${shown}
      onAdd=${(names) => { setAdd([...new Set([...add, ...names])]); setTake(take.filter((name) => !names.includes(name))); }}
      onTake=${(name) => { setTake([...take, name]); setAdd(add.filter((other) => other !== name)); }} />
    <div class="row dialog-answers">
      <button class="button" onClick=${() => close()}>Cancel</button>
      <button class="button main" disabled=${!add.length && !take.length} onClick=${done}>Save tags</button>
    </div>`;
}
