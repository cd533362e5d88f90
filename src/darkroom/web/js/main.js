/** The shell: rail, page, dialogs and notices. */
import { online, signedOut } from "./api.js";
import { laterStyles, pageNamed, pages } from "./pages.js";
import { Dialogs, isOpen } from "./parts/dialog.js";
import { DropZone } from "./parts/drop_dialog.js";
import { Icon } from "./parts/icons.js";
import { Toasts } from "./parts/toast.js";
import { effect, html, render, useEffect, useRef, useState } from "./preact.js";
import { href, route } from "./router.js";
import { progress, start, status } from "./state.js";
import { counted } from "./words.js";

function Rail() {
  const current = pageNamed(route.value.page).name;
  const shown = pages.filter((page) => page.icon);
  return html`<header class="rail">
    <div class="lamp" aria-hidden="true"></div>
    <nav aria-label="Pages">
      ${shown.map((page) => html`<a class=${page.far ? "rail-link far" : "rail-link"} key=${page.name} href=${href(page.name)}
          aria-current=${page.name === current ? "page" : null}>
        <${Icon} name=${page.icon} /><span>${page.title}</span>
      </a>`)}
    </nav>
    <${Foot} />
  </header>`;
}

/** The device, and the light that says that nothing leaves this machine. */
function Foot() {
  const device = status.value?.devices[0];
  const away = !online.value;
  return html`<div class="rail-foot">
    ${device && html`<span>${device.device.toUpperCase()}<br />${counted(device.cores, "core")}</span>`}
    <span class=${away ? "network look" : "network"} title=${away ? "The server does not answer." : "Darkroom opens no connection to the network."}>
      <i class=${away ? "light look" : "light"}></i> ${away ? "server away" : "no network"}
    </span>
  </div>`;
}

const AWAY = "The server is away. Nothing is lost; this page goes on by itself when it is back.";
const NO_KEY = "This browser has lost its key. Open the address that darkroom serve printed.";

function Place() {
  const page = pageNamed(route.value.page);
  const [loaded, setLoaded] = useState({});
  const place = useRef(null);
  const moved = useRef(false);
  useEffect(() => {
    if (moved.current) place.current.focus({ preventScroll: true });
    moved.current = true;
    const put = (found) => setLoaded((all) => ({ ...all, [page.name]: found }));
    if (!loaded[page.name]) page.load().then((module) => put(module.default), (error) => { console.error(error); put(Broken); });
  }, [page.name]);
  const Page = loaded[page.name];
  return html`<main class="place" id="place" ref=${place} tabindex="-1" aria-label=${page.title}>
    ${signedOut.value ? html`<div class="away" role="alert">${NO_KEY}</div>` : !online.value && html`<div class="away" role="status">${AWAY}</div>`}
    ${Page && html`<${Page} route=${route.value} />`}
  </main>`;
}

const Broken = () => html`<div class="place-empty"><h1>This page did not load</h1><p>Reload it; if that does not help, update Darkroom.</p></div>`;

const Shell = () => html`
  <a class="button skip" href="#place" onClick=${(event) => { event.preventDefault(); document.getElementById("place").focus(); }}>Skip to the page</a>
  <div class="shell"><${Rail} /><${Place} /></div>
  <${Dialogs} />
  ${!isOpen.value && html`<${Toasts} />`}
  <${DropZone} />`;

/** The title tells how far a run is, for those who look at something else meanwhile. */
effect(() => {
  const [now] = progress.value.values();
  const { title } = pageNamed(route.value.page);
  document.title = `${now ? `${Math.round(100 * now.fraction)} %` : title} · Darkroom`;
});

start();
const app = document.getElementById("app");
app.replaceChildren();
render(html`<${Shell} />`, app);
setTimeout(() => laterStyles().catch(() => {}), 600);
