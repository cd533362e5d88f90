/** How it works: the way from words to a picture, with real runs of the model that comes along. */
import { Decoded, Develop, useDeveloped } from "../how/develop.js";
import { Experiment } from "../how/experiment.js";
import { Drowned } from "../how/noise.js";
import { MODEL, said } from "../how/runs.js";
import { Tokens, useReading } from "../how/tokens.js";
import { Way } from "../how/way.js";
import { html } from "../preact.js";
import { href } from "../router.js";
import { modelNamed } from "../state.js";

const GUIDANCE = { field: "guidance", values: [1, 2, 3.5, 8, 16], labels: ["1, none", "2", "3.5, usual for Mini", "8", "16, too much"] };
const NEGATIVE = { field: "negative", values: ["", "blue", "yellow", "white"], labels: ["none", "blue", "yellow", "white"] };
const SEEDS = { field: "seed", values: [1, 2, 3, 4, 5], labels: ["seed 1", "seed 2", "seed 3", "seed 4", "seed 5"] };
const STEPS = { field: "steps", values: [1, 2, 4, 8, 20], labels: ["1 step", "2 steps", "4 steps", "8 steps", "20 steps"] };

const Part = ({ id, title, text, children }) => html`<section class="how-part" id=${id} aria-labelledby=${`${id}-title`}>
  <div class="how-text"><h2 id=${`${id}-title`}>${title}</h2>${text}</div>
  ${children}
</section>`;

const LIMITS = [
  ["Counting", "“Five apples” gives some apples. Numbers are words like others."],
  ["Who does what to whom", "“A fox left of an owl” may come out the other way round, and colours wander from one thing to another."],
  ["Not", "“A room without an elephant” names an elephant. What shall be absent belongs into the negative prompt."],
  ["Writing", "Letters are shapes to them. Short words sometimes succeed, sentences do not."],
  ["Hands, faces in a crowd, small things", "What is a few latent places small has no room for detail. Enlarge, or paint that part alone."],
  ["Knowing", "They have seen pictures with captions, no facts. A map, a face or a machine looks right and is not."],
  ["Fairness", "They repeat what their training pictures showed most: of people, places and professions too."],
  ["The same person twice", "Nothing is remembered from one image to the next, but seed and words."],
];

export default function How() {
  const reading = useReading();
  const found = useDeveloped();
  const model = modelNamed(MODEL);
  const { prompt } = said.value;
  const request = { model: MODEL, prompt, seed: 3 };
  return html`<div class="how">
    <header class="how-head">
      <h1>How a picture is developed</h1>
      <p>A film photograph begins as a latent image that nobody can see yet. So does one of these. Everything on this page is real: it runs here, on this computer, with Mini, the small model that comes along.</p>
    </header>
    <${Way} reading=${reading} found=${found} prompt=${prompt} />

    <${Part} id="how-tokens" title="Words become tokens" text=${html`<p>A model reads no letters. The prompt is cut into pieces that it has a number for: common words are one piece, rare ones several.</p>
      <p>A text encoder, a network of its own, turns these numbers into lists of numbers that stand for what is meant. Only these go on. What lies beyond the limit is read as a further part and counts for less.</p>`}>
      <${Tokens} model=${model} reading=${reading} />
    </${Part}>

    <${Part} id="how-develop" title="It begins with noise" text=${html`<p>The seed draws a field of noise in the <b>latent</b>: a small, dense form of a picture. Then, step by step, a network (the U-Net) looks at it together with the words, says which part of it is noise, and some of that is taken away.</p>
      <p>First the layout settles, then forms, then detail. The sampler decides how a step is taken, the schedule how large each one is.</p>`}>
      <${Develop} model=${model} found=${found} />
    </${Part}>

    <${Part} id="how-learn" title="How it learnt to" text=${html`<p>In training, pictures with captions are drowned in noise, a little or a lot, and the network guesses what was put in. It is told how far it was off, some million times.</p>
      <p>At full noise nothing of the picture is left: whoever can guess even there has learnt what things look like. Making an image is this, begun at pure noise.</p>`}>
      <${Drowned} image=${found.image} />
    </${Part}>

    <${Part} id="how-decode" title="The latent is decoded" text=${html`<p>All steps happen in the latent, because it is many times smaller than the picture. At the end the decoder, a third network, paints the points.</p>
      <p>What you see while an image is made is a quick guess at colours from the latent; the decoder's picture is sharper.</p>`}>
      <${Decoded} found=${found} />
    </${Part}>

    <${Part} id="how-steps" title="Steps" text=${html`<p>More steps are smaller steps. The first few change everything, the later ones hardly anything; then only time is spent.</p>`}>
      <${Experiment} name="steps" request=${request} axis=${STEPS} />
    </${Part}>

    <${Part} id="how-guidance" title="Guidance" text=${html`<p>At each step the network is asked twice: with the words and without. The difference is what the words want. Guidance says how many times that difference is taken: 1 listens to the words alone, more exaggerates them, too much burns colours and forms.</p>`}>
      <${Experiment} name="guidance" request=${request} axis=${GUIDANCE} />
    </${Part}>

    <${Part} id="how-negative" title="Negative prompts" text=${html`<p>The question without words can be asked with other words instead: then the difference leads away from them. Here nothing is said of the background, and the negative prompt pushes its colour to the other side.</p>`}>
      <${Experiment} name="negative" request=${{ ...request, prompt: "a hamster" }} axis=${NEGATIVE} />
    </${Part}>

    <${Part} id="how-seeds" title="Seeds" text=${html`<p>The seed is the only chance in it. The same seed with the same settings is the same picture, on any day; another seed is another noise, and so another picture. Keep the seed to change one thing at a time.</p>`}>
      <${Experiment} name="seeds" request=${request} axis=${SEEDS} />
    </${Part}>

    <section class="how-limits" aria-labelledby="how-limits">
      <h2 id="how-limits">What these models cannot do</h2>
      <dl>${LIMITS.map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>
      <p class="muted">Mini is a demonstration: it knows ${model?.words ?? "few"} words and makes pictures of ${model?.native_width ?? 64} points. The same program carries out the published models; <a href=${href("models")}>Models</a> fetches them, when you say so.</p>
    </section>
  </div>`;
}
