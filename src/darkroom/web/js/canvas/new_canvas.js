// Asks for an empty canvas: its size and its colour.

import { openDialog } from "../parts/dialog.js";
import { html, useState } from "../preact.js";
import { Pixels } from "./toolbar.js";

const MOST_SIDE = 4096;

/** @returns {Promise<{width: number, height: number, colour: string}|null>} */
export const askForGround = ({ width, height }) =>
  openDialog({
    title: "New canvas",
    body: ({ close }) => html`<${Ground} width=${width} height=${height} close=${close} />`,
  });

function Ground({ width, height, close }) {
  const [ground, setGround] = useState({ width, height, colour: "#ffffff" });
  const change = (name, value) => setGround((before) => ({ ...before, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    close(ground);
  };
  return html`<form class="easel-new" onSubmit=${submit}>
    <${Pixels} label="Width" value=${ground.width} least=${16} most=${MOST_SIDE} onChange=${(value) => change("width", value)} />
    <${Pixels} label="Height" value=${ground.height} least=${16} most=${MOST_SIDE} onChange=${(value) => change("height", value)} />
    <label class="easel-number"><span class="label">Colour</span>
      <input type="color" value=${ground.colour} onInput=${(event) => change("colour", event.target.value)} />
    </label>
    <button class="button main" type="submit">Begin</button>
  </form>`;
}
