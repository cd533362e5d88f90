// What a program does with a client of AUTOMATIC1111's API; what came of it is printed as JSON.
import sharp from "sharp";
import sdApi from "stable-diffusion-api";

const api = new sdApi.StableDiffusionApi({
  baseUrl: process.env.DARKROOM_URL,
  defaultStepCount: 3,
  timeout: 100000,
});
api.setAuth("anybody", process.env.DARKROOM_KEY);

const size = { width: 64, height: 64 };
const prompt = "a hamster on a blue background";
const drawn = await api.txt2img({ prompt, ...size, seed: 1, sampler_name: "Euler" });
const buffer = await drawn.image.toBuffer();
const again = await api.img2img({
  init_images: [sharp(buffer)],
  prompt,
  ...size,
  seed: 2,
  denoising_strength: 0.5,
});
const large = await api.extraSingle({
  image: sharp(buffer),
  upscaler_1: "Lanczos",
  upscaling_resize: 3,
});
const { width, height } = await large.image.metadata();
await api.setOptions({ sd_model_checkpoint: "mini" });

console.log(
  JSON.stringify({
    info: JSON.parse(drawn.info),
    again: JSON.parse(again.info),
    pixels: (await drawn.image.raw().toBuffer()).toString("base64"),
    large: { width, height },
    samplers: (await api.getSamplers()).map((one) => one.name),
    models: (await api.getSdModels()).map((one) => one.model_name),
    options: await api.getOptions(),
    progress: await api.getProgress(),
  }),
);
