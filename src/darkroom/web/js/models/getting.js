/** How to get more: files of other programs on this computer, and the catalogue to pull from. */
import { api, events } from "../api.js";
import { ask } from "../parts/dialog.js";
import { Icon } from "../parts/icons.js";
import { toast, toastError } from "../parts/toast.js";
import { html, signal, useEffect, useState } from "../preact.js";
import { models, reload } from "../state.js";
import { gigabytes } from "../words.js";
import { familyOf, taskOf } from "./facts.js";

/** What is on its way: by name, the last `pull` event. */
const arriving = signal(new Map());
let following = false;

function follow() {
  if (following) return;
  following = true;
  events.addEventListener("pull", ({ detail }) => {
    arriving.value = new Map(arriving.value).set(detail.name, detail);
    if (detail.state === "done") {
      toast(`${detail.name} is here.`);
      reload("models").catch(() => {});
    }
  });
}

/** Answer of a route, asked again when `again` changes. */
function useAnswer(call, again) {
  const [answer, setAnswer] = useState({ data: null, error: null });
  const look = () => call().then((data) => setAnswer({ data, error: null }), (error) => setAnswer((was) => ({ ...was, error })));
  useEffect(() => { look(); }, [again]);
  return { ...answer, look };
}

const Trouble = ({ error, look }) => html`<div class="notice" role="alert"><b>${error.message}</b><span class="hint">${error.hint}</span>
  <span><button class="button small" onClick=${look}>Try again</button></span></div>`;

/** Models of other programs. */
export function Found() {
  const { data, error, look } = useAnswer(api.modelsFound, models.value.length);
  const rows = data?.found ?? [];
  return html`<section aria-labelledby="models-found">
    <div class="spread"><h2 id="models-found">On this computer already</h2><button class="quiet" onClick=${look}><${Icon} name="again" /> Look again</button></div>
    <p class="muted models-note">Models of A1111, ComfyUI, InvokeAI, Easy Diffusion and the Hugging Face cache are used where they lie: nothing is copied or changed.</p>
    ${error && !data && html`<${Trouble} error=${error} look=${look} />`}
    ${data && !rows.length && html`<p class="models-none muted">None was found. A file elsewhere: <code>darkroom models import FILE</code> in a terminal.</p>`}
    <ul class="models">${rows.map((row) => html`<${FoundModel} key=${row.id} row=${row} look=${look} />`)}</ul>
  </section>`;
}

function FoundModel({ row, look }) {
  const [busy, setBusy] = useState(false);
  const take = async () => {
    setBusy(true);
    try {
      const { name } = await api.importModel(row.id);
      toast(`${name} can be used now.`);
      await Promise.all([reload("models"), look()]);
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  const line = row.why_not ?? [row.program, familyOf(row), taskOf(row), gigabytes(row.bytes)].filter(Boolean).join(" · ");
  return html`<li class="card model-line">
    <div class="model-name"><h3>${row.name}</h3><p class="muted small">${row.why_not ? `${row.program} · ` : ""}${line}</p></div>
    ${row.imported_as ? html`<span class="model-there"><${Icon} name="check" /> ${row.imported_as}</span>`
      : !row.why_not && html`<button class="button small" aria-label=${`Import ${row.name}`} disabled=${busy} onClick=${take}>Import</button>`}
  </li>`;
}

/** The catalogue, and the progress of what is on its way. */
export function Catalogue() {
  useEffect(follow, []);
  const { data, error, look } = useAnswer(api.modelsKnown, models.value.length);
  useEffect(() => {
    api.models().then(({ pulls = [] }) => { arriving.value = new Map([...pulls.map((pull) => [pull.name, pull]), ...arriving.value]); }, () => {});
  }, []);
  const host = hostOf(data?.host);
  const rows = data?.models ?? [];
  const converting = [...arriving.value.values()].filter((pull) => pull.kind === "convert" && pull.state !== "done");
  return html`<section aria-labelledby="models-known">
    <h2 id="models-known">To fetch</h2>
    <p class="muted models-note">Fetching is the only thing that opens a connection${host && ` (to ${host})`}, and only when you say so. What was cut off goes on where it ended, and each file is checked.</p>
    ${error && !data && html`<${Trouble} error=${error} look=${look} />`}
    ${converting.map((pull) => html`<div class="card model-line" key=${pull.name}><div class="model-name"><h3>${pull.name}</h3><${Progress} pull=${pull} /></div></div>`)}
    <ul class="models">${rows.map((row) => html`<${KnownModel} key=${row.name} row=${row} host=${host} />`)}</ul>
  </section>`;
}

function hostOf(address) {
  try {
    return address ? new URL(address).host : "";
  } catch {
    return address;
  }
}

function KnownModel({ row, host }) {
  const pull = arriving.value.get(row.name);
  const coming = pull && pull.state === "running";
  const there = row.installed || pull?.state === "done";
  return html`<li class="card model-line">
    <div class="model-name"><h3>${row.name}</h3>
      <p class="muted small">${[row.about, row.bytes && gigabytes(row.bytes)].filter(Boolean).join(" · ")}</p>
      <p class="muted small">${row.licence}${row.login ? " · needs a login at the host" : ""}</p>
      ${pull && !there && html`<${Progress} pull=${pull} />`}</div>
    ${there ? html`<span class="model-there"><${Icon} name="check" /> Installed</span>`
      : !coming && html`<button class="button small" aria-label=${`Fetch ${row.name}`} onClick=${() => fetchModel(row, host)}>${pull?.state === "failed" ? "Go on" : "Fetch"}</button>`}
  </li>`;
}

function Progress({ pull }) {
  if (pull.state === "failed") return html`<p class="axis-wrong small" role="alert">${pull.message} ${pull.hint}</p>`;
  const share = pull.total ? (100 * pull.done) / pull.total : 0;
  const what = pull.checking ? "Checking" : pull.kind === "convert" ? "Writing" : "Fetching";
  return html`<div class="pull"><div class="bar accent" role="progressbar" aria-label=${`${what} ${pull.name}`} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(share)}><i style=${{ width: `${share}%` }}></i></div>
    <span class="small muted">${what}: ${gigabytes(pull.done)} of ${pull.total ? gigabytes(pull.total) : "?"}</span></div>`;
}

async function fetchModel(row, host) {
  const sure = await ask({
    title: `Fetch ${row.name}?`, yes: row.bytes ? `Fetch ${gigabytes(row.bytes)}` : "Fetch it", no: "Stay offline",
    text: html`This opens a connection to <b>${host || "the models host"}</b> and downloads ${row.bytes ? gigabytes(row.bytes) : "its files"} into the models folder. Its licence: ${row.licence}. Nothing of yours is sent.`,
  });
  if (!sure) return;
  try {
    await api.pull(row.name);
    arriving.value = new Map(arriving.value).set(row.name, { name: row.name, kind: "pull", state: "running", done: 0, total: row.bytes });
  } catch (error) {
    toastError(error);
  }
}
