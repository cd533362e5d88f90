/** One axis of the comparison: which parameter, and its values. */
import { Icon } from "../parts/icons.js";
import { html, useId } from "../preact.js";
import { axes, change, isText, namesOf, placeOf, take, unused, valuesOf, vary } from "./axes.js";

const random = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** @param {{at: number}} props  its place among the axes */
export function AxisField({ at }) {
  const id = useId();
  const axis = axes.value[at];
  const { values, wrong } = valuesOf(axis);
  const place = placeOf(at);
  return html`<fieldset class="axis">
    <legend class="label">${place[0].toUpperCase() + place.slice(1)}</legend>
    <div class="axis-head">
      <div class="box select">
        <span class="cut strong-value" aria-hidden="true">${unused(at).find(({ field }) => field === axis.field)?.label ?? axis.field}</span>
        <${Icon} name="down" />
        <select aria-label=${`Parameter of the ${place}`} value=${axis.field} onChange=${(event) => vary(at, event.target.value)}>
          ${unused(at).map(({ field, label }) => html`<option key=${field} value=${field}>${label}</option>`)}
        </select>
      </div>
      ${axes.value.length > 1 && html`<button class="icon-button" aria-label=${`Take the ${place} away`} onClick=${() => take(at)}><${Icon} name="close" /></button>`}
    </div>
    <${Values} id=${id} at=${at} axis=${axis} wrong=${wrong} />
    <p id=${`${id}-note`} class=${wrong ? "small axis-wrong" : "unseen"}>${wrong ?? `${values.length} ${values.length === 1 ? "value" : "values"}`}</p>
  </fieldset>`;
}

function Values({ id, at, axis, wrong }) {
  const names = namesOf(axis.field);
  const place = placeOf(at);
  if (names) {
    const toggle = (name) => {
      const others = axis.chosen.filter((other) => other !== name);
      change(at, { chosen: others.length < axis.chosen.length ? others : names.map(({ value }) => value).filter((value) => value === name || others.includes(value)) });
    };
    return html`<div class="row wrap axis-names" role="group" aria-label=${`Values of the ${place}`}>
      ${names.map(({ value, label }) => html`<button class="chip" key=${value} aria-pressed=${axis.chosen.includes(value)} onClick=${() => toggle(value)}>${label}</button>`)}
    </div>`;
  }
  const type = (event) => change(at, { text: event.target.value });
  if (isText(axis.field)) {
    return html`<textarea class="text-box" rows="4" aria-label=${`Values of the ${place}, one on each line`} aria-describedby=${`${id}-note`} aria-invalid=${wrong !== null}
      placeholder="One on each line" spellcheck=${false} value=${axis.text} onInput=${type}></textarea>`;
  }
  return html`<div class="box">
    <input class="axis-numbers" type="text" inputmode="text" autocomplete="off" spellcheck=${false} aria-label=${`Values of the ${place}`} aria-describedby=${`${id}-note`}
      aria-invalid=${wrong !== null} placeholder="4, 8, 12 or 1-10 by 3" value=${axis.text} onInput=${type} />
    ${axis.field === "seed" && html`<button class="icon-button" aria-label="Three random seeds" onClick=${() => change(at, { text: [random(), random(), random()].join(", ") })}><${Icon} name="dice" /></button>`}
  </div>`;
}
