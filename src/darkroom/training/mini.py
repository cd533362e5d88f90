"""From a font to Mini's weights, in stages that may be interrupted at any time.

Autoencoder → contrastive start of the text encoder → U-Net and text encoder along a curriculum →
decoder → one safetensors file in the published v1 layout.  The same call goes on where the last one
stopped.  Delete a stage's file in the folder to do that stage again, and those after it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.load import Networks, load
from darkroom.diffusion.schedule import alphas_cumprod
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.text.tokenizer import Tokenizer, pruned_merges
from darkroom.training.ahead import Ahead
from darkroom.training.autoencoder import (
    autoencoder_loss,
    decoder_loss,
    new_autoencoder,
    normalise_latents,
    psnr,
)
from darkroom.training.batches import Batches
from darkroom.training.cache import Asked, Frames, cached
from darkroom.training.contrast import ContrastiveStart, contrastive_loss
from darkroom.training.crops import Crops, Kind, whole_scenes
from darkroom.training.diffusion import TextAndUNet, diffusion_loss
from darkroom.training.export import export
from darkroom.training.loop import finished, take_average, train
from darkroom.training.recipe import CONTEXT, LATENT_SCALE, Phase, Recipe, text_encoder
from darkroom.training.samples import samples, to_images, token_ids
from darkroom.training.scenes import captions
from darkroom.training.scenes.layout import Stage
from darkroom.training.scenes.painter import Painter, sheet
from darkroom.training.scenes.vocabulary import objects
from darkroom.training.work import Work

TRAINING_SET, HELD_OUT_SET = 1, 2
CHECKED = 256  # held-out scenes that validation losses and PSNR are measured on
PROMPTS = (
    "a hamster on a blue background",
    "a fox on a white background",
    "a cat on a red background",
    "a rocket on a black background",
    "a strawberry on a cyan background",
    "a bicycle on a yellow background",
    "a robot on a green background",
    "an owl on a purple background",
    "a small house on the left on a white background",
    "a penguin in the top right corner on a pink background",
    "a dog to the left of a car on a gray background",
    "a banana above a guitar on a blue background",
    "a red circle to the right of a yellow square on a white background",
    "three apples on a striped green background",
    "a pixel art of a lion on an orange background",
    "a purple silhouette of a horse on a yellow background",
)


@dataclass(frozen=True, kw_only=True)
class Run(Work):
    """One call: what is made, where, and what it may take.

    `objects`: how many are learnt, the best known first.  `start`: a finished Mini whose
    autoencoder is kept and whose other networks learn on.
    """

    recipe: Recipe
    objects: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(item.name for item in objects(self.objects))

    @property
    def folder(self) -> Path:
        """Where what depends on the number of objects is kept."""
        return self.state / f"objects-{self.objects}"

    def crops(self, kinds: tuple[Kind, ...], seed: int = TRAINING_SET) -> Ahead[Tensor]:
        """Pieces of scenes of every object, for the autoencoder."""
        crops = Crops(names=every_name(), kinds=kinds, seed=seed, font=self.font)
        return Ahead(crops, self.workers)

    def held_out(self, names: tuple[str, ...]) -> Tensor:
        """Scenes that no training sees, as pixels on the run's device."""
        pixels = whole_scenes(Painter(self.font), names, seed=HELD_OUT_SET, count=CHECKED)
        return pixels.to(self.device)

    def scenes(
        self, autoencoder: Autoencoder, stage: Stage, count: int, seed: int = TRAINING_SET
    ) -> Mapping[tuple[int, int], Frames]:
        """Cached scenes on the run's device."""
        kind = "scenes" if seed == TRAINING_SET else "held-out"
        path = self.folder / f"{kind}-{stage}-{count}.safetensors"
        if not path.exists():
            self.say(f"drawing and encoding {count} scenes ({stage}) into {path.name}")
        asked = Asked(seed=seed, stage=stage, count=count, names=self.names)
        sets = cached(
            path,
            asked,
            autoencoder,
            tokenizer(),
            font=self.font,
            scale=LATENT_SCALE,
            workers=self.workers,
        )
        return {size: frames.to(self.device) for size, frames in sets.items()}


@cache
def merges() -> list[str]:
    """What CLIP's tokenizer needs for every word of all objects, learnt or not.

    So the vocabulary may grow without a new text tower.
    """
    return pruned_merges(captions.words(every_name()))


@cache
def tokenizer() -> Tokenizer:
    """CLIP's, with these merges."""
    return Tokenizer(merges=merges(), context_length=CONTEXT)


def make(run: Run) -> Path:
    """All stages, each from where it stopped; returns Mini's checkpoint.

    Raises Paused where the budget ends first.
    """
    autoencoder = make_autoencoder(run)
    model = new_model(run)
    begin(run, model, autoencoder)
    for number, phase in enumerate(run.recipe.phases):
        learn(run, phase, number, model, autoencoder)
    refine_decoder(run, autoencoder)
    return write(run, model, autoencoder)


def every_name() -> tuple[str, ...]:
    """Of all objects, learnt or not: the autoencoder is made for all of them."""
    return tuple(item.name for item in objects())


def new_model(run: Run) -> TextAndUNet:
    """Untrained; the U-Net begins by predicting nothing at all."""
    torch.manual_seed(2)
    unet = UNet(run.recipe.unet)
    text = TextEncoder(text_encoder(tokenizer().vocabulary, unet.config.context_width))
    for layer in (text.token_embedding, text.position_embedding):
        nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(unet.conv_out.weight)
    return TextAndUNet(text, unet).to(run.device)


def make_autoencoder(run: Run) -> Autoencoder:
    """Stage 1; leaves a sheet of originals above reconstructions in the folder."""
    model = new_autoencoder(run.recipe.autoencoder, seed=0).to(run.device)
    done = run.state / "autoencoder.done.safetensors"
    if run.start is not None and not done.exists():
        started = load_mini(run.start, run.device)
        keep(done, started.autoencoder)
    if not done.exists():
        train_autoencoder(run, model)
        keep(done, model)
    model.load_state_dict(load_file(done, device=str(run.device)))
    return model.requires_grad_(False)


def train_autoencoder(run: Run, model: Autoencoder) -> None:
    """On pieces of scenes of every object there is, learnt or not; then latents are scaled."""
    recipe = run.recipe
    with run.crops(recipe.crops) as batches:
        train(
            model,
            autoencoder_loss(model, lambda step: batches(step).to(run.device)),
            recipe.autoencoder_schedule,
            run.state / "autoencoder.safetensors",
            seed=1,
            watch=run.watch("autoencoder"),
            budget=run.budget,
        )
    normalise_latents(model, run.held_out(every_name()), LATENT_SCALE)
    show(run, model, "autoencoder")


def refine_decoder(run: Run, model: Autoencoder) -> None:
    """Stage 4: latents keep their meaning, so this may take as long as it likes."""
    decoder = nn.ModuleList([model.post_quant_conv, model.decoder]).requires_grad_(True)
    path, recipe = run.state / "decoder.safetensors", run.recipe
    if finished(path, recipe.decoder_schedule):
        take_average(path, decoder)
        return
    with run.crops(recipe.decoder_crops, seed=TRAINING_SET + 2) as batches:
        train(
            decoder,
            decoder_loss(model, lambda step: batches(step).to(run.device)),
            recipe.decoder_schedule,
            path,
            seed=4,
            watch=run.watch("decoder"),
            budget=run.budget,
        )
    show(run, model, "decoder")


@torch.no_grad()
def show(run: Run, model: Autoencoder, title: str) -> None:
    """Say how good reconstructions are; leave a sheet of them below their originals."""
    originals = run.held_out(every_name())
    decoded = torch.cat([model.decode(model.encode(part)) for part in originals.split(32)])
    run.say(f"{title}: {psnr(decoded.clamp(-1, 1), originals):.2f} dB on {CHECKED} new scenes")
    pictures = to_images(torch.cat([originals[:48], decoded[:48]]))
    sheet(list(pictures), 16).save(run.state / f"{title}.png")


def begin(run: Run, model: TextAndUNet, autoencoder: Autoencoder) -> None:
    """Stage 2: the text encoder learns to tell scenes apart, or is taken from `run.start`."""
    if run.start is not None:
        networks = load_mini(run.start, run.device)
        model.text.load_state_dict(networks.text_encoder.state_dict())
        model.unet.load_state_dict(networks.unet.state_dict())
        return
    recipe, path = run.recipe, run.folder / "contrast.safetensors"
    contrast = ContrastiveStart(
        model.text,
        autoencoder.config.latent_channels,
        128 // autoencoder.config.factor,
        tokenizer().eos,
    ).to(run.device)
    if finished(path, recipe.contrast_schedule):
        take_average(path, contrast)
        return
    scenes = run.scenes(autoencoder, "all", recipe.contrast_scenes * run.objects)
    square = {(128, 128): scenes[128, 128]}
    train(
        contrast,
        contrastive_loss(contrast, Batches(sets=square, size=recipe.contrast_batch, seed=2)),
        recipe.contrast_schedule,
        path,
        seed=2,
        watch=run.watch("text encoder"),
        budget=run.budget,
    )


def learn(
    run: Run, phase: Phase, number: int, model: TextAndUNet, autoencoder: Autoencoder
) -> None:
    """Stage 3, one phase of the curriculum; the text encoder goes on learning, slowly."""
    path = run.folder / f"{phase.stage}.safetensors"
    if finished(path, phase.schedule):
        take_average(path, model)
        return
    alphas = alphas_cumprod(zero_terminal_snr=True).to(run.device)
    empty = token_ids(tokenizer(), [""])[0].to(run.device)

    def loss_on(sets: Mapping[tuple[int, int], Frames], size: int) -> Callable[..., Tensor]:
        return diffusion_loss(model, Batches(sets=sets, size=size, seed=3), empty, alphas, "v")

    held_out = loss_on(run.scenes(autoencoder, phase.stage, CHECKED, HELD_OUT_SET), CHECKED)

    @torch.no_grad()
    def evaluate(step: int) -> None:
        fixed = [torch.Generator(run.device).manual_seed(n) for n in range(4)]
        value = sum(float(held_out(n, generator)) for n, generator in enumerate(fixed)) / 4
        run.say(f"{phase.stage}: step {step}, held-out loss {value:.4f}")
        pictures = samples(
            model, autoencoder, tokenizer(), PROMPTS, alphas=alphas, scale=LATENT_SCALE
        )
        sheet(pictures, 8).save(run.folder / f"{phase.stage}-{step:06}.png")
        write(run, model, autoencoder)

    train(
        model,
        loss_on(run.scenes(autoencoder, phase.stage, phase.scenes * run.objects), phase.batch),
        phase.schedule,
        path,
        seed=10 + number,
        watch=replace(run.watch(phase.stage), evaluate=evaluate),
        budget=run.budget,
    )


def write(run: Run, model: TextAndUNet, autoencoder: Autoencoder) -> Path:
    """Mini's checkpoint as it stands."""
    path = run.folder / "mini.safetensors"
    export(
        path,
        model,
        autoencoder,
        run.held_out(run.names),
        merges=merges(),
        words=captions.words(run.names),
    )
    return path


def load_mini(path: Path, device: torch.device) -> Networks:
    """A finished Mini's networks."""
    return load(detect(read_header(path), path), precision="fp32", device=device)


def keep(path: Path, module: nn.Module) -> None:
    """Write a module's weights, whole or not at all."""
    temporary = path.with_suffix(".part")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.contiguous() for name, tensor in module.state_dict().items()}, temporary
    )
    temporary.replace(path)
