/** Models: what is installed and why it was identified so, and how to get more. */
import { Catalogue, Found } from "../models/getting.js";
import { Installed } from "../models/installed.js";
import { html } from "../preact.js";

export default function Models({ route }) {
  return html`<div class="sheet-page">
    <h1>Models</h1>
    <${Installed} open=${route.id} />
    <${Found} />
    <${Catalogue} />
  </div>`;
}
