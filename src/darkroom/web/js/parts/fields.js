/**
 * Fields.  Of each, `value` is what was said (undefined: nothing) and `fallback` what holds then;
 * `onSay` gets the new value, or null where the field was taken back.
 */
import { html, useId, useRef, useState } from "../preact.js";
import { Icon } from "./icons.js";

const PIXELS_A_STEP = 5;
const within = (number, min, max) => Math.min(max, Math.max(min, number));
/** Without the dust of binary fractions: 0.1 + 0.2 is 0.3. */
const tidy = (number) => (Number.isInteger(number) ? number : Number(number.toPrecision(12)));
/** @param {number|null|undefined} value */
export const shown = (value) => (value === null || value === undefined ? "" : String(typeof value === "number" ? tidy(value) : value));

/** Numbers of the usual kind: `read` gives null where the text is none within the bounds, `near` the nearest that is. */
function usualNumbers({ min, max, step, whole }) {
  const near = (number) => tidy(within(whole ? Math.round(number) : number, min, max));
  const number = (text) => (text.trim() === "" ? NaN : Number(text.replace(",", ".")));
  return {
    read: (text) => { const typed = number(text); return typed >= min && typed <= max && (!whole || Number.isInteger(typed)) ? typed : null; },
    near: (text) => { const typed = number(text); return Number.isFinite(typed) ? near(typed) : null; },
    after: (from, steps) => near(from + steps * step),
  };
}

/**
 * The number itself: typed, stepped with the arrow keys (with Shift by tens), or dragged sideways.
 * `numbers`: how they are read and counted on, where they are of another kind.
 * @param {{value?: number, fallback?: number, min: number, max: number, step?: number, whole?: boolean, onSay: (n: number|null) => void}} props
 */
export function NumberInput({ value, fallback, min, max, step = 1, whole = step >= 1, numbers = usualNumbers({ min, max, step, whole }), onSay, id, label, describedby, placeholder }) {
  const [draft, setDraft] = useState(null);
  const drag = useRef(null);
  const now = value ?? fallback ?? min;
  const read = (text) => {
    setDraft(text);
    const number = numbers.read(text);
    if (text.trim() === "" || number !== null) onSay(number);
  };
  const settle = () => {
    const number = draft === null ? null : numbers.near(draft);
    if (number !== null) onSay(number);
    setDraft(null);
  };
  const keys = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
  const onKeyDown = (event) => {
    const way = keys[event.key];
    if (!way || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    setDraft(null);
    onSay(numbers.after(now, way * (event.shiftKey ? 10 : 1)));
  };
  const onPointerDown = (event) => {
    if (event.pointerType === "mouse" && event.button === 0) drag.current = { x: event.clientX, from: now, moved: false };
  };
  const onPointerMove = (event) => {
    const held = drag.current;
    if (!held) return;
    const way = event.clientX - held.x;
    if (!held.moved && Math.abs(way) < PIXELS_A_STEP) return;
    if (!held.moved) event.currentTarget.setPointerCapture(event.pointerId);
    held.moved = true;
    setDraft(null);
    onSay(numbers.after(held.from, Math.round(way / PIXELS_A_STEP)));
    event.preventDefault();
  };
  const release = () => { drag.current = null; };
  return html`<input class="number" type="text" inputmode=${whole ? "numeric" : "decimal"} role="spinbutton" autocomplete="off" spellcheck=${false}
    id=${id} aria-label=${label} aria-describedby=${describedby} aria-valuenow=${now} aria-valuemin=${min} aria-valuemax=${max}
    value=${draft ?? shown(value)} placeholder=${placeholder ?? shown(fallback)}
    onInput=${(event) => read(event.target.value)} onBlur=${settle} onKeyDown=${onKeyDown}
    onPointerDown=${onPointerDown} onPointerMove=${onPointerMove} onPointerUp=${release} onPointerCancel=${release} />`;
}

/** A label above a box with a number in it. */
export function NumberField({ label, hint, children, ...number }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id} class="label" title=${hint}>${label}</label>
    <div class="box"><${NumberInput} id=${id} ...${number} />${children}</div>
  </div>`;
}

/** A number beside its label, and a slider below for the range that is usual. */
export function Slider({ label, hint, value, fallback, min, max, low = min, high = max, step = 1, onSay, ...number }) {
  const id = useId();
  const now = within(value ?? fallback ?? low, low, high);
  const fill = `${((now - low) / (high - low)) * 100}%`;
  return html`<div class="field slider">
    <div class="spread">
      <label for=${id} class="label" title=${hint}>${label}</label>
      <${NumberInput} id=${id} value=${value} fallback=${fallback} min=${min} max=${max} step=${step} onSay=${onSay} ...${number} />
    </div>
    <input type="range" tabindex="-1" aria-hidden="true" min=${low} max=${high} step=${step} value=${now} style=${{ "--fill": fill }}
      onInput=${(event) => onSay(tidy(Number(event.target.value)))} />
  </div>`;
}

/** How many: minus, number, plus. */
export function Counter({ label, value, min, max, onSay }) {
  const id = useId();
  const by = (way) => onSay(within(value + way, min, max));
  return html`<div class="field">
    <label for=${id} class="label">${label}</label>
    <div class="box counter">
      <button class="icon-button" type="button" aria-label=${`Fewer ${label.toLowerCase()}`} disabled=${value <= min} onClick=${() => by(-1)}><${Icon} name="minus" /></button>
      <${NumberInput} id=${id} value=${value} min=${min} max=${max} onSay=${(said) => onSay(said ?? min)} />
      <button class="icon-button" type="button" aria-label=${`More ${label.toLowerCase()}`} disabled=${value >= max} onClick=${() => by(1)}><${Icon} name="plus" /></button>
    </div>
  </div>`;
}

/**
 * A choice.  `options`: `[{value, label, help?}]`; `fallback`: what holds where nothing is chosen.
 * @param {{label: string, value?: string, fallback?: string, options: {value: string, label: string, help?: string, disabled?: boolean}[], onSay: (v: string|null) => void, unset?: boolean}} props
 */
export function Select({ label, hint, value, fallback, options, onSay, unset = true }) {
  const id = useId();
  const held = options.find((option) => option.value === (value ?? fallback));
  const usual = options.find((option) => option.value === fallback);
  return html`<div class="field">
    <label for=${id} class="label" title=${hint}>${label}</label>
    <div class="box select">
      <span class=${value === undefined ? "cut" : "cut strong-value"} aria-hidden="true">${held?.label ?? value ?? fallback ?? "Automatic"}</span>
      <${Icon} name="down" />
      <select id=${id} title=${held?.help} value=${value ?? ""} onChange=${(event) => onSay(event.target.value || null)}>
        ${unset && html`<option value="">${usual ? `Automatic: ${usual.label}` : "Automatic"}</option>`}
        ${options.map((option) => html`<option key=${option.value} value=${option.value} disabled=${option.disabled}>${option.label}${option.help ? `: ${option.help}` : ""}</option>`)}
      </select>
    </div>
  </div>`;
}

/** One of a few, side by side. */
export function Segmented({ label, value, options, onSay, small = false }) {
  const name = useId();
  return html`<fieldset class=${small ? "segmented small" : "segmented"}>
    <legend class="unseen">${label}</legend>
    ${options.map((option) => html`<label key=${option.value} title=${option.help}>
      <input type="radio" class="unseen" name=${name} value=${option.value} checked=${option.value === value} onChange=${() => onSay(option.value)} />
      <span>${option.label}</span>
    </label>`)}
  </fieldset>`;
}

/** Yes or no. */
export const Toggle = ({ label, hint, value, onSay }) => html`<label class="toggle" title=${hint}>
  <input type="checkbox" checked=${value} onChange=${(event) => onSay(event.target.checked)} /><span>${label}</span>
</label>`;
