/** Create: wishes on the left, the image in the middle, queue and recent images on the right. */
import { turnTo } from "../actions.js";
import { takeInvitation } from "../invited.js";
import { Advanced } from "../parts/advanced.js";
import { Segmented } from "../parts/fields.js";
import { Foot } from "../parts/foot.js";
import { ModelField } from "../parts/model.js";
import { Numbers, StepsNote } from "../parts/numbers.js";
import { Painting } from "../parts/painting.js";
import { Prompt } from "../parts/prompt.js";
import { Queue } from "../parts/queue.js";
import { Recent } from "../parts/recent.js";
import { Size } from "../parts/size.js";
import { Source } from "../parts/source.js";
import { Stage } from "../parts/stage.js";
import { Styles } from "../parts/styles.js";
import { toast } from "../parts/toast.js";
import { followWish, lacking } from "../plan.js";
import { html, useEffect } from "../preact.js";
import { run, showNext } from "../running.js";
import { TASKS, takes, wish } from "../wish.js";

followWish();

/** Keys that turn to the image before and after, where nothing else has the focus. */
const WAYS = { ArrowLeft: -1, ArrowRight: 1 };
const TABS = TASKS.map(({ name, title }) => ({ value: name, label: title }));

/** @param {{route: import("../router.js").Route}} props */
export default function Create({ route }) {
  useEffect(() => takeInvitation(route.query), [route]);
  useEffect(() => {
    const onKeyDown = (event) => {
      if (document.querySelector("dialog[open]")) return;
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (event.repeat) return;
        if (lacking.value) toast(lacking.value.message, { hint: lacking.value.hint });
        else run();
      } else if (WAYS[event.key] && [document.body, document.querySelector("main")].includes(document.activeElement)) {
        showNext(WAYS[event.key]);
      }
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  const { task } = wish.value;
  return html`<div class="create">
    <h1 class="unseen">Create</h1>
    <section class="panel" aria-label="Wishes">
      <div class="panel-fields">
        <${Segmented} label="Task" value=${task} options=${TABS} onSay=${turnTo} />
        ${takes("image", task) && html`<${Source} />`}
        <${Prompt} />
        <${Styles} />
        <${ModelField} />
        ${task !== "upscale" && html`<${Size} />`}
        ${task === "inpaint" && html`<${Painting} />`}
        <${Numbers} />
        <${StepsNote} />
        <${Advanced} />
      </div>
      <${Foot} />
    </section>
    <${Stage} />
    <aside class="aside" aria-label="Queue and recent images"><${Queue} /><${Recent} /></aside>
  </div>`;
}
