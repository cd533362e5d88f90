/** The equal of an action: the same as a command, as Python, as a request. */
import { copyText } from "../actions.js";
import { api } from "../api.js";
import { html, useEffect, useState } from "../preact.js";
import { openDialog } from "./dialog.js";
import { Segmented } from "./fields.js";

const FORMS = [
  { value: "command", label: "Command" },
  { value: "python", label: "Python" },
  { value: "http", label: "Request" },
];

/**
 * @param {{request: import("../api.js").Wish, styles?: string[]}|{command: string, python: string, http: string}} what
 *   a wish, or its sayings where they are known
 */
export const showSayings = (what) => openDialog({ title: "The same, elsewhere", body: () => html`<${Sayings} what=${what} />`, kind: "wide" });

function Sayings({ what }) {
  const [form, setForm] = useState("command");
  const [said, setSaid] = useState(what.command ? what : null);
  const [error, setError] = useState(null);
  useEffect(() => {
    if (!said) api.sayings(what).then(setSaid, setError);
  }, []);
  if (error) return html`<div class="notice" role="alert"><b>${error.message}</b><span class="hint">${error.hint}</span></div>`;
  const text = said?.[form] ?? "";
  return html`<div class="stack">
    <${Segmented} label="Form" value=${form} options=${FORMS} onSay=${setForm} />
    <pre class="saying" tabindex="0">${text}</pre>
    <div class="row dialog-answers"><button class="button main" disabled=${!said} onClick=${() => copyText(text, FORMS.find(({ value }) => value === form).label)}>Copy</button></div>
  </div>`;
}
