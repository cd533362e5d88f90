"""What Mini's images mean, and that Mini is the Stable Diffusion it claims to be."""

import dataclasses
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

from darkroom import api
from darkroom.checkpoints import catalog
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.load import load, save_published
from darkroom.conditioning.prompt import embed, tokenizer_of
from darkroom.contracts import ModelSpec, Noted
from darkroom.diffusion.noise import Noise
from darkroom.evaluation.judge import Judge
from darkroom.evaluation.mini import images, known_objects, spec_of
from darkroom.evaluation.scenes import Drawer
from darkroom.evaluation.scoring import Answer, ask, figures
from darkroom.evaluation.suites import trials
from tests.models import oracles

GLYPHS = Path(__file__).parents[1] / "data" / "judge.npz"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.open(GLYPHS)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    path = catalog.find("mini")
    return detect(read_header(path), path)


def shown(judge: Judge, model: str, suite: str, count: int) -> list[tuple[Answer, float]]:
    """What the judge says of a model's images, and how near they are to their start, in dB."""
    opened, drawer = api.load(model), Drawer(judge.glyphs)
    asked = trials(suite, known_objects(spec_of(model), judge), count)
    answers = []
    for trial, image in zip(asked, images(opened, asked, drawer), strict=True):
        start = drawer.draw_start(trial, image.shape[0]) if trial.start else np.zeros_like(image)
        error = np.square(image.astype(float) - start).mean()
        answers.append((ask(judge, trial, image), float(10 * np.log10(255**2 / error))))
    return answers


def measured(judge: Judge, model: str, suite: str, count: int) -> dict[str, float]:
    """The figures of a model in a suite."""
    return figures([answer for answer, _ in shown(judge, model, suite, count)])


def test_mini_shows_what_was_asked_for(judge: Judge) -> None:
    found = measured(judge, "mini", "single", 32)
    assert found["object"] >= 0.9
    assert found["background"] >= 0.98


def test_a_coarse_sketch_says_where_the_object_stands(judge: Judge) -> None:
    found = measured(judge, "mini", "sketch", 8)
    assert found["object"] >= 0.85
    assert found["place"] >= 0.7


def test_little_strength_keeps_the_image_and_much_replaces_it(judge: Judge) -> None:
    kept, changed = (shown(judge, "mini", suite, 6) for suite in ("keep", "change"))
    assert all(answer.right["object"] and answer.right["place"] for answer, _ in kept)
    assert min(near for _, near in kept) > 18
    assert sum(answer.right["object"] for answer, _ in changed) >= 5
    assert max(near for _, near in changed) < 16


def test_with_shuffled_weights_it_shows_nothing(
    judge: Judge, spec: ModelSpec, tmp_path: Path
) -> None:
    networks = load(spec, precision="fp32", device="cpu")
    generator = torch.Generator().manual_seed(0)
    for weight in networks.unet.parameters():
        order = torch.randperm(weight.numel(), generator=generator)
        weight.copy_(weight.flatten()[order].view_as(weight))
    shuffled = tmp_path / "shuffled.safetensors"
    metadata = read_header(spec.path).metadata
    save_published(shuffled, networks, metadata=metadata, dtype=torch.float32)
    found = measured(judge, str(shuffled), "single", 21)
    assert found["object"] < 0.05
    assert found["by the filter"] < 0.05


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' own
@torch.no_grad()
def test_diffusers_makes_the_same_image_of_the_same_weights(spec: ModelSpec) -> None:
    steps, guidance, prompt = 12, 3.0, "a hamster on a blue background"
    model = api.load("mini", precision="fp32")
    made = model.txt2img(
        prompt, seed=3, steps=steps, guidance=guidance, sampler="euler", schedule="trailing"
    )
    networks = load(spec, precision="fp32", device="cpu")
    tokenizer = tokenizer_of(spec)
    pipeline = StableDiffusionPipeline(
        vae=oracles.autoencoder(networks),
        text_encoder=oracles.text_encoder(networks),
        tokenizer=None,
        unet=oracles.unet(networks),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            timestep_spacing="trailing",
            rescale_betas_zero_snr=True,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.vae.register_to_config(scaling_factor=spec.latent_scale)
    theirs = pipeline(
        prompt_embeds=embed(prompt, tokenizer, networks.text_encoder),
        negative_prompt_embeds=embed("", tokenizer, networks.text_encoder),
        latents=Noise([3]).draw((4, 16, 16)),
        height=64,
        width=64,
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="np",
    ).images[0]
    difference = np.abs(np.asarray(made.pil).astype(float) - theirs * 255)
    assert difference.max() <= 2


def test_unknown_words_are_named_with_the_way_to_a_real_checkpoint() -> None:
    made = api.load("mini").txt2img("a hamstar on a blue background", seed=1, steps=1)
    notes = " ".join(event.message for event in made if isinstance(event, Noted))
    assert "hamstar" in notes
    assert "hamster" in notes
    assert "name its file as the model" in notes


def test_unknown_words_are_found_inside_weights_and_brackets() -> None:
    prompt = "a (hamstar:1.2) and [a [fox]] on a (blue:0.9) background"
    notes = [
        e.message for e in api.load("mini").txt2img(prompt, seed=1, steps=1) if isinstance(e, Noted)
    ]
    assert len([note for note in notes if "hamstar" in note]) == 1
    assert not [word for word in ("1.2", "0.9", "“fox", "“blue") if word in " ".join(notes)]


def test_no_font_is_read_when_an_image_is_made() -> None:
    program = textwrap.dedent(
        """
        import sys
        opened = []
        def watch(event, args):
            if event == "open":
                opened.append(str(args[0]))
        sys.addaudithook(watch)
        import darkroom
        darkroom.load("mini").txt2img("a fox on a red background", seed=1, steps=2).image
        fonts = [name for name in opened if name.lower().endswith((".ttf", ".otf", ".ttc"))]
        assert opened and not fonts, fonts
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_file_says_what_it_is(spec: ModelSpec) -> None:
    assert spec.demonstration
    assert spec.zero_terminal_snr
    assert spec.prediction == "v"
    assert {"hamster", "blue", "background"} <= set(spec.words)
    assert len(spec.preview) == spec.autoencoder.latent_channels + 1
    assert spec.stored_bytes < 64 * 2**20
    assert dataclasses.asdict(spec.defaults)["guidance"] is not None
