/** How many more steps an image is developed for. */
import { html, useState } from "../preact.js";
import { counted } from "../words.js";
import { openDialog } from "./dialog.js";
import { NumberField } from "./fields.js";

let last = 10; // more

/** @param {{before: number, most: number}} steps @returns {Promise<number|null>} steps in all, null where it was left */
export const askForSteps = ({ before, most }) => openDialog({
  title: "Again with more steps",
  body: ({ close }) => html`<${MoreSteps} before=${before} most=${most} close=${close} />`,
});

function MoreSteps({ before, most, close }) {
  const [more, setMore] = useState(last);
  const steps = Math.min(most, before + more);
  const run = (event) => {
    event.preventDefault();
    last = more;
    close(steps);
  };
  return html`<form class="stack" onSubmit=${run}>
    <p class="muted">The same wish and the same seed, developed for longer. It was made with ${counted(before, "step")}.</p>
    <${NumberField} label="More steps" min=${1} max=${Math.max(1, most - before)} value=${more} onSay=${(said) => setMore(said ?? 1)} />
    <div class="row dialog-answers"><button class="button main" disabled=${before >= most}>Develop ${counted(steps, "step")}</button></div>
  </form>`;
}
