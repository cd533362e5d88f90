/** A button that opens a list of actions: arrow keys walk it, Escape closes it. */
import { html, useEffect, useId, useRef, useState } from "../preact.js";
import { Icon } from "./icons.js";

/** @param {{label: string, icon?: string, text?: string, items: {name: string, label: string, icon: string, act: () => void}[]}} props */
export function Menu({ label, icon = "dots", text = "", items, class: extra = "icon-button" }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  const id = useId();
  const entries = () => [...box.current.querySelectorAll("[role=menuitem]")];
  const close = (back = true) => {
    setOpen(false);
    if (back) box.current.querySelector("button").focus();
  };
  useEffect(() => {
    if (!open) return undefined;
    const list = box.current.querySelector("[role=menu]");
    list.showPopover();
    place(list, box.current.getBoundingClientRect());
    entries()[0]?.focus();
    const outside = (event) => { if (!box.current.contains(event.target)) close(false); };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);
  const onKeyDown = (event) => {
    if (!open) return;
    const all = entries();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) all[to % all.length].focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") { setOpen(false); return; }
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="menu" ref=${box} onKeyDown=${onKeyDown}>
    <button class=${extra} aria-label=${label} aria-haspopup="menu" aria-expanded=${open} aria-controls=${id} onClick=${() => setOpen(!open)}>${text}<${Icon} name=${icon} /></button>
    ${open && html`<div class="menu-list" popover="manual" role="menu" id=${id} aria-label=${label}>
      ${items.map((item) => html`<button key=${item.name} role="menuitem" tabindex="-1" onClick=${() => { close(); item.act(); }}><${Icon} name=${item.icon} />${item.label}</button>`)}
    </div>`}
  </div>`;
}

const GAP = 8;

/** Above the button where there is room, else below, and always within the window. */
function place(list, { left, right, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = list;
  const across = Math.min(innerWidth - width - GAP, Math.max(GAP, (left + right) / 2 > innerWidth / 2 ? right - width : left));
  const above = top - GAP - height;
  const down = above >= GAP ? above : Math.min(bottom + GAP, innerHeight - height - GAP);
  list.style.left = `${across}px`;
  list.style.top = `${Math.max(GAP, down)}px`;
}
