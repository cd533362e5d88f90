/** An image that hides where it cannot be had, instead of showing that something is broken. */
import { html } from "../preact.js";

const hide = (event) => { event.currentTarget.style.visibility = "hidden"; };
const reveal = (event) => { event.currentTarget.style.visibility = ""; };

/** @param {Record<string, unknown>} props  those of an img */
export const Picture = (props) => html`<img ...${props} onError=${hide} onLoad=${reveal} />`;
