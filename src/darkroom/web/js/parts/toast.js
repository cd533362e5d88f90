/** Short notices at the foot of the page, with at most one thing to do about them. */
import { html, signal } from "../preact.js";
import { Icon } from "./icons.js";

const shown = signal([]);
let count = 0;
const STAYS = 6000;

/** @param {string} text @param {{hint?: string, action?: string, act?: () => void}} [more] */
export function toast(text, { hint = "", action = "", act = () => {} } = {}) {
  const key = (count += 1);
  shown.value = [...shown.value.filter((other) => other.text !== text), { key, text, hint, action, act }].slice(-3);
  setTimeout(() => drop(key), hint || action ? 2 * STAYS : STAYS);
}

/** An error of the API, or any other, as a notice. @param {Error & {hint?: string}} error */
export const toastError = (error) => toast(error.message, { hint: error.hint ?? "" });

/** Do it, and say what went wrong where it does; null then. */
export const trying = (act) => async (...given) => {
  try {
    return await act(...given);
  } catch (error) {
    toastError(error);
    return null;
  }
};

const drop = (key) => { shown.value = shown.value.filter((other) => other.key !== key); };

export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">
  ${shown.value.map(({ key, text, hint, action, act }) => html`<div class="toast" key=${key}>
    <div>${text}${hint && html`<div class="hint">${hint}</div>`}</div>
    ${action && html`<button class="button small" onClick=${() => { drop(key); act(); }}>${action}</button>`}
    <button class="icon-button" aria-label="Dismiss" onClick=${() => drop(key)}><${Icon} name="close" /></button>
  </div>`)}
</div>`;
