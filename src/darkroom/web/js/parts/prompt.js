/** Prompt and negative prompt, how the model reads them, and the prompts used before. */
import { computed, effect, html, signal, useId, useState } from "../preact.js";
import { meter } from "../plan.js";
import { wildcards } from "../state.js";
import { modelTitle } from "../words.js";
import { beside, modelName, say, wish } from "../wish.js";
import { openDialog } from "./dialog.js";

const hasNegative = computed(() => wish.value.negative !== "");
/** Opened where a negative prompt comes with a recipe or an older prompt; else as the person left it. */
const negativeOpen = signal(hasNegative.value);
effect(() => { if (hasNegative.value) negativeOpen.value = true; });

export function Prompt() {
  const id = useId();
  const open = negativeOpen.value;
  return html`<div class="prompt">
    <label class="unseen" for=${id}>Prompt</label>
    <textarea id=${id} class="text-box prompt-text" dir="auto" rows="3" spellcheck=${false} placeholder="Describe the image" aria-describedby=${`${id}-meter`}
      value=${wish.value.prompt} onInput=${(event) => say({ prompt: event.target.value })}></textarea>
    <div class="prompt-foot">
      <${Meter} id=${`${id}-meter`} reading=${meter.value?.prompt} />
      <button class="quiet" aria-expanded=${open} onClick=${() => { negativeOpen.value = !open; }}>Negative${!open && wish.value.negative ? " ·" : ""}</button>
      <button class="quiet" aria-haspopup="dialog" onClick=${showHistory}>History</button>
    </div>
    <${Remarks} field="prompt" reading=${meter.value?.prompt} />
    ${open && html`<${Negative} />`}
  </div>`;
}

function Negative() {
  const id = useId();
  const reading = meter.value?.negative;
  return html`<div class="field">
    <div class="spread"><label class="label" for=${id}>Negative prompt</label>
      ${wish.value.negative && reading && html`<span class="small muted">${count(reading)}</span>`}</div>
    <textarea id=${id} class="text-box prompt-text negative" dir="auto" rows="2" spellcheck=${false} placeholder="What the image should keep away from"
      value=${wish.value.negative} onInput=${(event) => say({ negative: event.target.value })}></textarea>
    <${Remarks} field="negative" reading=${reading} />
  </div>`;
}

/** Tokens against the room that there is: of the chunk that is being filled. */
function room({ tokens, limit, chunks }) {
  return limit * Math.max(1, chunks ?? 1, Math.ceil(tokens / limit));
}

const count = (reading) => `${reading.tokens} of ${reading.cut.length ? reading.limit : room(reading)} tokens`;

function Meter({ id, reading }) {
  const over = reading?.cut.length > 0;
  const share = reading ? Math.min(1, reading.tokens / room(reading)) : 0;
  return html`<div class="meter" id=${id}>
    <div class=${over ? "bar look" : "bar"} aria-hidden="true"><i style=${{ width: `${over ? 100 : share * 100}%` }}></i></div>
    <span class="small muted">${reading ? count(reading) : "0 tokens"}</span>
  </div>`;
}

/** Words that the model will not see, and words that it does not know. */
function Remarks({ field, reading }) {
  if (!reading) return null;
  const { beyond = [] } = reading;
  if (!reading.cut.length && !reading.unknown.length) {
    return beyond.length > 0 && html`<p class="small muted">Beyond the first ${reading.limit} tokens, read apart: <span class="beyond" dir="auto">${beyond.join(" ")}</span></p>`;
  }
  return html`<div class="notice" role="status">
    ${reading.cut.length > 0 && html`<p><b>Beyond the limit, never read:</b> <span class="beyond" dir="auto">${reading.cut.join(" ")}</span></p>`}
    ${reading.unknown.slice(0, 4).map(({ word, nearest }) => html`<p key=${word}>${modelTitle(modelName.value)} does not know <b>${word}</b>.
      ${nearest && html` <button class="quiet mend" onClick=${() => replaceWord(field, word, nearest)}>Use ${nearest}</button>`}</p>`)}
    ${reading.unknown.length > 4 && html`<p class="hint">And ${reading.unknown.length - 4} more words.</p>`}
  </div>`;
}

function replaceWord(field, word, other) {
  const safe = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  say({ [field]: wish.value[field].replace(new RegExp(`(?<![\\p{L}\\p{N}])${safe}(?![\\p{L}\\p{N}])`, "giu"), other) });
}

const showHistory = () => openDialog({ title: "Prompts used before", body: History });

function History({ close }) {
  const [find, setFind] = useState("");
  const wanted = find.toLowerCase();
  const found = beside.value.prompts.filter(({ prompt, negative }) => `${prompt} ${negative}`.toLowerCase().includes(wanted));
  const use = (entry) => {
    say(entry);
    close();
  };
  const forget = (entry) => { beside.value = { ...beside.value, prompts: beside.value.prompts.filter((other) => other !== entry) }; };
  if (!beside.value.prompts.length) return html`<p class="muted">Every prompt that you run is kept here, in this browser.</p>`;
  return html`
    <input class="text-box" type="search" aria-label="Find a prompt" placeholder="Find" value=${find} onInput=${(event) => setFind(event.target.value)} />
    <ul class="history">
      ${found.map((entry) => html`<li key=${entry.prompt + entry.negative}>
        <button class="history-use" dir="auto" onClick=${() => use(entry)}>${entry.prompt}${entry.negative && html`<span class="muted small"> without ${entry.negative}</span>`}</button>
        <button class="quiet" onClick=${() => forget(entry)}>Forget</button>
      </li>`)}
      ${!found.length && html`<li class="muted">No prompt has these words.</li>`}
    </ul>`;
}

const EXAMPLES = [
  ["{red|blue|green}", "one of them"],
  ["{2::red|blue}", "red twice as often"],
  ["{2$$ and $$cat|dog|owl}", "two of them, joined by “and”"],
];

/** What can be drawn, and how it is written. */
export const showWildcards = () => openDialog({ title: "Wildcards", body: Wildcards });

function Wildcards({ close }) {
  const put = (text) => {
    const { prompt } = wish.value;
    say({ prompt: prompt && !/\s$/.test(prompt) ? `${prompt} ${text}` : prompt + text });
    close();
  };
  return html`
    <p class="muted">Each image draws anew; its seed decides, so the same seed draws the same words. Click to add one to the prompt.</p>
    <ul class="wildcards">
      ${EXAMPLES.map(([text, means]) => html`<li key=${text}><button class="chip mono" onClick=${() => put(text)}>${text}</button><span class="muted small">${means}</span></li>`)}
    </ul>
    <h3>Lists of your own</h3>
    ${wildcards.value.length
      ? html`<div class="row wrap wildcard-names">${wildcards.value.map((name) => html`<button class="chip mono" key=${name} onClick=${() => put(`__${name}__`)}>${`__${name}__`}</button>`)}</div>`
      : html`<p class="muted">A text file <code>animal.txt</code> in the wildcards folder, one choice on each line, is drawn from with <code>__animal__</code>. Settings names the folder.</p>`}`;
}
