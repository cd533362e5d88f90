/** Words become tokens: the real reading of the model, as one types. */
import { api } from "../api.js";
import { html, useEffect, useId, useState } from "../preact.js";
import { MODEL, said, sayPrompt } from "./runs.js";

export function useReading() {
  const [reading, setReading] = useState(null);
  const { prompt } = said.value;
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      api.tokens({ model: MODEL, prompt, negative: "" }, stop.signal).then((answer) => setReading(answer.prompt), () => {});
    }, 120);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [prompt]);
  return reading;
}

export function Tokens({ model, reading }) {
  const id = useId();
  const unknown = reading?.unknown ?? [];
  return html`<div class="how-figure">
    <label class="label" for=${id}>The prompt of this page; change it and everything below can be run anew</label>
    <input id=${id} class="text-box how-prompt" maxlength="300" spellcheck=${false} autocomplete="off" value=${said.value.prompt} onInput=${(event) => sayPrompt(event.target.value)} />
    <ol class="pieces" aria-label="Tokens">
      <li class="piece edge"><span>begin</span></li>
      ${(reading?.pieces ?? []).map((piece, at) => html`<li key=${at} class=${piece.ends_word ? "piece" : "piece joined"}><span>${piece.text}</span><i>${piece.id}</i></li>`)}
      <li class="piece edge"><span>end</span></li>
    </ol>
    <p class="muted small" role="status">${reading ? `${reading.tokens} of ${reading.limit} tokens` : ""}${model ? `. The text encoder turns each place into ${model.text_width} numbers.` : ""}</p>
    ${unknown.length > 0 && html`<p class="small how-unknown">Mini was never shown ${unknown.map(({ word }) => `“${word}”`).join(", ")}${unknown[0].nearest ? `; it knows “${unknown[0].nearest}”` : ""}.</p>`}
  </div>`;
}
