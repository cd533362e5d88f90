/**
 * Dialogs, one above another.  `openDialog` shows one and resolves to what it was closed with:
 *
 *     const name = await openDialog({ title: "Save a style", body: ({ close }) => html`…` });
 */
import { html, signal, useEffect, useId, useRef } from "../preact.js";
import { Icon } from "./icons.js";

const open = signal([]);
let count = 0;

/**
 * @param {{title: string, body: (props: {close: (value?: unknown) => void}) => unknown, kind?: ""|"wide"|"full"}} dialog
 * @returns {Promise<any>} what `close` was called with, null where it was dismissed
 */
export function openDialog({ title, body, kind = "" }) {
  return new Promise((resolve) => {
    const key = (count += 1);
    const close = (value = null) => {
      open.value = open.value.filter((other) => other.key !== key);
      resolve(value);
    };
    open.value = [...open.value, { key, title, body, kind, close }];
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

export const Dialogs = () => open.value.map((dialog) => html`<${Dialog} key=${dialog.key} ...${dialog} />`);

function Dialog({ title, body: Body, kind, close }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => { if (before?.isConnected) before.focus(); };
  }, []);
  const outside = (event) => { if (event.target === ref.current) close(); };
  return html`<dialog ref=${ref} class=${kind} aria-labelledby=${id} onCancel=${(event) => { event.preventDefault(); close(); }} onPointerDown=${outside}>
    <div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <button class="icon-button" aria-label="Close" onClick=${() => close()}><${Icon} name="close" /></button>
    </div>
    <div class="dialog-body"><${Body} close=${close} /></div>
  </dialog>`;
}
