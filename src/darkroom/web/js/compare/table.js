/** The table: empty places before, pictures as they come, and links to them. */
import { api } from "../api.js";
import { html } from "../preact.js";
import { href } from "../router.js";

/** What a number is, so that it can be read alone; words speak for themselves. */
const spelt = (axis, at) => (typeof axis.values[at] === "number" ? `${axis.label} ${axis.labels[at]}` : axis.labels[at]);

/**
 * @param {{axes: {field: string, label: string, values: unknown[], labels: string[]}[], caption: string,
 *   cell: (index: number, label: string) => unknown, shape?: number}} props
 *   `cell`: what stands at a place, counted over the whole table: columns fastest
 */
export function Table({ axes, caption, cell, shape = 1 }) {
  const [across, down = null, blocks = null] = axes;
  const columns = across.values.length;
  const rows = down?.values.length ?? 1;
  const range = (many) => Array.from({ length: many }, (_, at) => at);
  const place = (block, row, column) => {
    const index = (block * rows + row) * columns + column;
    const label = [spelt(across, column), down && spelt(down, row), blocks && spelt(blocks, block)].filter(Boolean).join(", ");
    return html`<td key=${column}>${cell(index, label)}</td>`;
  };
  return range(blocks?.values.length ?? 1).map((block) => html`<div class="sheet-block" key=${block}>
    ${blocks && html`<h3 class="sheet-title">${spelt(blocks, block)}</h3>`}
    <div class="sheet-scroll" tabindex="0" role="region" aria-label=${blocks ? `${caption}: ${spelt(blocks, block)}` : caption}>
      <table class="sheet" style=${{ "--columns": columns, "--shape": shape }}>
        <caption class="unseen">${caption}</caption>
        <thead><tr>${down && html`<td class="sheet-corner"></td>`}${range(columns).map((at) => html`<th scope="col" key=${at} title=${across.labels[at]}><span>${spelt(across, at)}</span></th>`)}</tr></thead>
        <tbody>${range(rows).map((row) => html`<tr key=${row}>
          ${down && html`<th scope="row" title=${down.labels[row]}><span>${spelt(down, row)}</span></th>`}
          ${range(columns).map((column) => place(block, row, column))}
        </tr>`)}</tbody>
      </table>
    </div>
  </div>`);
}

/** A place of a table that is only planned. */
export const Planned = ({ index }) => html`<span class="sheet-cell planned" aria-hidden="true">${index + 1}</span>`;

/** A place of a table that is being made, or was. */
export function Place({ image, step, state, label }) {
  if (image) {
    return html`<a class="sheet-cell" href=${href("image", image.id)} aria-label=${label}><img src=${api.thumbnailUrl(image.id, 512)} alt="" loading="lazy" decoding="async" /></a>`;
  }
  if (step) {
    return html`<span class="sheet-cell now">${step.preview && html`<img src=${step.preview} alt=${`${label}, step ${step.step} of ${step.steps}`} />`}
      <i class="sheet-bar" style=${{ width: `${(100 * step.step) / step.steps}%` }}></i></span>`;
  }
  return html`<span class=${state === "failed" || state === "cancelled" ? "sheet-cell off" : "sheet-cell waits"} aria-label=${`${label}: ${state === "done" ? "left out" : state}`} role="img"></span>`;
}
