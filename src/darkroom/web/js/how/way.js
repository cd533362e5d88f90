/** The way of one image, drawn: words, tokens, meaning, latent and network in a circle, decoder, picture. */
import { api } from "../api.js";
import { html } from "../preact.js";
import { Noise } from "./noise.js";

const Station = ({ to, name, note, children }) => html`<li class="station"><a href=${`#${to}`} onClick=${(event) => { event.preventDefault(); document.getElementById(to).scrollIntoView({ behavior: "smooth", block: "start" }); }}>
  <span class="station-picture" aria-hidden="true">${children}</span><b>${name}</b><span class="muted small">${note}</span></a></li>`;

export function Way({ reading, found: { image, now }, prompt }) {
  const tokens = (reading?.pieces ?? []).slice(0, 4);
  const middle = image && image.steps > 2 ? api.filmUrl(image.id, Math.ceil(image.steps / 4)) : now?.preview;
  const late = image && image.steps > 2 ? api.filmUrl(image.id, image.steps) : null;
  return html`<ol class="way" aria-label="The way of one image">
    <${Station} to="how-tokens" name="Prompt" note="your words"><q>${prompt}</q></${Station}>
    <${Station} to="how-tokens" name="Tokens" note="numbers for words">${tokens.map((piece, at) => html`<i class="station-token" key=${at}>${piece.id}</i>`)}</${Station}>
    <${Station} to="how-develop" name="Noise" note="the seed draws it"><${Noise} /></${Station}>
    <${Station} to="how-develop" name="Steps" note="the network takes noise away">${middle ? html`<img src=${middle} alt="" />` : html`<i class="station-blank"></i>`}</${Station}>
    <${Station} to="how-decode" name="Latent" note="small, and finished">${late ? html`<img src=${late} alt="" class="pixelated" />` : html`<i class="station-blank"></i>`}</${Station}>
    <${Station} to="how-decode" name="Picture" note="decoded">${image ? html`<img src=${api.thumbnailUrl(image.id, 256)} alt="" />` : html`<i class="station-blank bright"></i>`}</${Station}>
  </ol>`;
}
