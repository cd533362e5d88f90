/** Settings: the table of the house, each value with where it comes from. */
import { api } from "../api.js";
import { copyText } from "../actions.js";
import { Icon } from "../parts/icons.js";
import { html, useEffect, useState } from "../preact.js";
import { href } from "../router.js";
import { status } from "../state.js";

const SOURCES = {
  flag: "from the flag", environment: "from the environment", file: "from the configuration file", default: "the default",
};
const spelt = (value) => (value === null || value === "" ? "not set" : String(value));

export default function Settings() {
  const [found, setFound] = useState({ rows: null, error: null });
  const [find, setFind] = useState("");
  const [changed, setChanged] = useState(false);
  const ask = () => api.settings().then(({ settings }) => setFound({ rows: settings, error: null }), (error) => setFound((was) => ({ ...was, error })));
  useEffect(() => { ask(); }, []);
  const wanted = find.trim().toLowerCase();
  const rows = (found.rows ?? []).filter((row) => (!changed || row.source !== "default")
    && `${row.name} ${row.help} ${row.flag} ${row.environment}`.toLowerCase().includes(wanted));
  return html`<div class="sheet-page settings">
    <div><h1>Settings</h1>
      <p class="muted models-note">A value comes from the flag, else from the environment, else from the configuration file, else from the default.
        This page shows what holds for this server; what you choose in Create goes before it. Darkroom ${status.value?.version ?? ""} · <a href=${href("how")}>How it works</a></p></div>
    ${found.error && !found.rows && html`<div class="notice" role="alert"><b>${found.error.message}</b><span class="hint">${found.error.hint}</span>
      <span><button class="button small" onClick=${ask}>Try again</button></span></div>`}
    <div class="row wrap">
      <label class="gallery-search"><${Icon} name="search" /><input type="search" placeholder="Find a setting" aria-label="Find a setting" value=${find} onInput=${(event) => setFind(event.target.value)} /></label>
      <button class="chip" aria-pressed=${changed} onClick=${() => setChanged(!changed)}>Changed only</button>
    </div>
    ${found.rows && html`<table class="settings-table">
      <thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Comes from</th><th scope="col">Flag and environment</th></tr></thead>
      <tbody>${rows.map((row) => html`<${Row} key=${row.name} row=${row} />`)}</tbody>
    </table>`}
    ${found.rows && !rows.length && html`<p class="muted">${changed && !wanted ? "Nothing was changed: every value is the default." : "No setting has these words."}</p>`}
  </div>`;
}

function Row({ row }) {
  const says = row.default !== null && row.default !== row.value;
  return html`<tr>
    <th scope="row"><b>${row.name}</b><span class="muted">${row.help}</span>
      ${row.choices.length > 0 && html`<span class="muted small">One of ${row.choices.join(", ")}.</span>`}</th>
    <td data-name="Value">${row.error ? html`<span class="axis-wrong">${row.error}</span>` : html`<code class="settings-value">${spelt(row.value)}</code>`}
      ${says && html`<span class="muted small">default: ${spelt(row.default)}</span>`}</td>
    <td data-name="Comes from"><span class=${row.source === "default" ? "muted" : "settings-said"}>${SOURCES[row.source] ?? row.source}</span></td>
    <td data-name="Change it with"><${Name} text=${row.flag} /><${Name} text=${row.environment} /></td>
  </tr>`;
}

const Name = ({ text }) => html`<button class="quiet mono settings-name" title="Copy" aria-label=${`Copy ${text}`} onClick=${() => copyText(text, text)}>${text}</button>`;
