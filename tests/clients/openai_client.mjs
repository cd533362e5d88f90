// What a program does with OpenAI's client for JavaScript; what came of it is printed as JSON.
import OpenAI, { toFile } from "openai";

const client = new OpenAI({
  baseURL: `${process.env.DARKROOM_URL}/v1`,
  apiKey: process.env.DARKROOM_KEY,
  maxRetries: 0,
});

const wish = { model: "mini", prompt: "a hamster on a blue background", steps: 3 };

const models = [];
for await (const model of client.models.list()) models.push(model.id);

const made = await client.images.generate({ ...wish, seed: 1, n: 2 });

const kinds = [];
let last = null;
const stream = await client.images.generate({
  ...wish,
  seed: 1,
  stream: true,
  partial_images: 1,
});
for await (const event of stream) {
  kinds.push(event.type);
  last = event;
}

const file = await toFile(Buffer.from(made.data[0].b64_json, "base64"), "image.png", {
  type: "image/png",
});
const edited = await client.images.edit({ ...wish, image: file, seed: 2, strength: 0.5 });

const refusal = await client.images
  .generate({ ...wish, model: "gpt-image-2" })
  .then(() => null, (error) => ({ name: error.constructor.name, code: error.code }));

console.log(
  JSON.stringify({
    models,
    images: made.data.map((one) => one.b64_json),
    seeds: made.data.map((one) => one.seed),
    usage: made.usage,
    kinds,
    streamed: last.b64_json,
    edited: edited.data[0].b64_json,
    refusal,
  }),
);
