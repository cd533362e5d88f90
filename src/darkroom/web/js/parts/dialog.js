/**
 * Dialogs, one above another.  `openDialog` shows one and resolves to what it was closed with:
 *
 *     const name = await openDialog({ title: "Save a style", body: ({ close }) => html`…` });
 */
import { computed, html, signal, useEffect, useId, useRef } from "../preact.js";
import { Icon } from "./icons.js";
import { Toasts } from "./toast.js";

const open = signal([]);
/** Whether a dialog lies over the page. */
export const isOpen = computed(() => open.value.length > 0);
let count = 0;

/**
 * @param {{title: string, body: (props: {close: (value?: unknown) => void}) => unknown, kind?: string,
 *   leave?: () => Promise<boolean>}} dialog  `kind`: "", "wide" or "full", and further classes;
 *   `leave` is asked before the dialog is dismissed
 * @returns {Promise<any>} what `close` was called with, null where it was dismissed
 */
export function openDialog({ title, body, kind = "", leave = async () => true }) {
  return new Promise((resolve) => {
    const key = (count += 1);
    const close = (value = null) => {
      open.value = open.value.filter((other) => other.key !== key);
      resolve(value);
    };
    open.value = [...open.value, { key, title, body, kind, leave, close }];
  });
}

/** A question with two answers; true for `yes`. @returns {Promise<boolean>} */
export async function ask({ title, text, yes, no = "Keep" }) {
  const answer = await openDialog({
    title,
    body: ({ close }) => html`
      <p>${text}</p>
      <div class="row dialog-answers">
        <button class="button" onClick=${() => close(false)}>${no}</button>
        <button class="button main" onClick=${() => close(true)}>${yes}</button>
      </div>`,
  });
  return answer === true;
}

export const Dialogs = () => open.value.map((dialog, place) => html`<${Dialog} key=${dialog.key} ...${dialog} isTop=${place === open.value.length - 1} />`);

function Dialog({ title, body: Body, kind, leave, close, isTop }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => { if (before?.isConnected) before.focus(); };
  }, []);
  const dismiss = async () => { if (await leave()) close(); };
  const outside = (event) => { if (event.target === ref.current) dismiss(); };
  // The key itself is taken: browsers close at a second Escape without asking anybody.
  const escape = (event) => { if (event.key === "Escape" && !event.defaultPrevented) { event.preventDefault(); event.stopPropagation(); dismiss(); } };
  const cancel = (event) => { if (event.target === ref.current) { event.preventDefault(); dismiss(); } };
  return html`<dialog ref=${ref} class=${kind} aria-labelledby=${id} onKeyDown=${escape} onCancel=${cancel} onPointerDown=${outside}>
    <div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <button class="icon-button" aria-label="Close" onClick=${dismiss}><${Icon} name="close" /></button>
    </div>
    <div class="dialog-body"><${Body} close=${close} /></div>
    ${isTop && html`<${Toasts} />`}
  </dialog>`;
}
