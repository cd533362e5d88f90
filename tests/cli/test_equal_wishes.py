"""The same wish by flags, from Python and by a reference command is the same Request."""

import dataclasses
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

import darkroom
from compat import optimized, reference
from compat.basujindal.optimizedSD import optimized_txt2img
from compat.compvis.scripts import txt2img
from darkroom.cli import saving, wishes
from darkroom.cli.flags import Flags
from darkroom.contracts import Finished, ImageDone, Request
from darkroom.errors import RequestError
from darkroom.tasks import wording
from tests.cli.conftest import Run, in_process
from tests.tiny import TinyCheckpoint

# Flags as they are typed, and what they are in a Request.
SAID: dict[str, tuple[list[object], dict[str, Any]]] = {
    "rescale": (["--rescale", 0.7], {"rescale": 0.7}),
    "no rescale": (["--rescale", 0], {"rescale": 0.0}),
    "guidance in part": (
        ["--guidance-start", 0, "--guidance-end", 0.5],
        {"guidance_start": 0.0, "guidance_end": 0.5},
    ),
    "churn": (
        ["--churn", 5, "--churn-start", 0, "--churn-end", 10, "--noise-scale", 1.003],
        {"churn": 5.0, "churn_start": 0.0, "churn_end": 10.0, "noise_scale": 1.003},
    ),
    "eta": (["--eta", 0], {"eta": 0.0}),
    "syntax": (["--prompt-syntax", "comfyui"], {"prompt_syntax": "comfyui"}),
    "clip skip": (["--clip-skip", 2], {"clip_skip": 2}),
    "variation": (
        ["--variation-strength", 0, "--variation-seed", 0],
        {"variation_strength": 0.0, "variation_seed": 0},
    ),
    "noise": (["--noise", "nv", "--seed-offset", 31337], {"noise": "nv", "seed_offset": 31337}),
    "tiling": (["--tiling", "both"], {"tiling": "both"}),
    "no tiling": (["--tiling", "none"], {"tiling": "none"}),
    "hires": (
        ["--hires", 2, "--hires-strength", 0, "--hires-steps", 7, "--hires-enlarger", "latent"],
        {"hires": 2.0, "hires_strength": 0.0, "hires_steps": 7, "hires_enlarger": "latent"},
    ),
    "nothing": ([], {}),
    "beyond reason": (["--clip-skip", -5, "--hires", 1e9], {"clip_skip": -5, "hires": 1e9}),
}


def said(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Request:
    """The one Request that the command line makes of its arguments."""
    asked: list[Request] = []
    monkeypatch.setattr(saving, "carry_out", lambda requests, _: asked.extend(requests))
    done = in_process("txt2img", "a cat", *arguments)
    assert done.exit_code == 0, done.stderr
    (request,) = asked
    return request


@pytest.mark.parametrize(("flags", "fields"), SAID.values(), ids=SAID)
def test_flags_and_python(
    monkeypatch: pytest.MonkeyPatch,
    tiny_checkpoint: TinyCheckpoint,
    flags: list[object],
    fields: dict[str, Any],
) -> None:
    name = str(tiny_checkpoint.safetensors)
    by_flags = said(monkeypatch, "--model", name, *flags)
    assert by_flags == Request(prompt="a cat", model=name, **fields)
    model = darkroom.load(name)
    assert model._request(task="txt2img", prompt="a cat", **fields) == by_flags


def test_flags_and_the_reference_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    common = ["--model", "x.ckpt", "--seed", 5, "--count", 3, "--batch", 3, "--steps", 9]
    common += ["--guidance", 6, "--width", 256, "--height", 320, "--prompt-syntax", "plain"]
    theirs = ["--ckpt", "x.ckpt", "--seed", "5", "--n_samples", "3", "--ddim_steps", "9"]
    theirs += ["--scale", "6", "--W", "256", "--H", "320", "--prompt", "a cat"]
    made: list[Request] = []
    monkeypatch.setattr(
        reference, "_carry_out", lambda o, wish: made.extend(reference.requests(o, wish))
    )
    reference.txt2img(txt2img.parse([*theirs, "--n_iter", "1", "--plms"]))
    assert made == [said(monkeypatch, *common, "--sampler", "plms", "--eta", 0)]

    made.clear()
    monkeypatch.setattr(
        optimized, "_make", lambda _, o, wish: made.extend(optimized.requests(o, wish))
    )
    rest = ["--sampler", "euler_a", "--unet_bs", "3", "--device", "cpu"]
    optimized.txt2img(optimized_txt2img.parse([*theirs, *rest]))
    ours = ["--sampler", "euler_ancestral", "--schedule", "normal", "--device", "cpu"]
    ours += ["--noise", "cpu", "--prompt-syntax", "basujindal", "--no-watermark"]
    assert made == [said(monkeypatch, *common, *ours)]


def test_settings_say_what_no_flag_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_PROMPT_SYNTAX", "comfyui")
    monkeypatch.setenv("DARKROOM_NOISE", "nv")
    monkeypatch.setenv("DARKROOM_CLIP_SKIP", "2")
    got = said(monkeypatch, "--clip-skip", 1)
    assert (got.prompt_syntax, got.noise, got.clip_skip) == ("comfyui", "nv", 1)


def test_an_image_says_what_no_flag_says(
    monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    monkeypatch.setenv("DARKROOM_STEPS", "9")
    model = ["--model", tiny_checkpoint.safetensors, "--device", "cpu"]
    small = ["--width", 32, "--height", 32, "--steps", 2, "--seed", 3, "--tiling", "x"]
    image = tmp_path / "made.png"
    assert in_process("txt2img", "a dog", *model, *small, "--out", image).exit_code == 0
    asked: list[Request] = []
    monkeypatch.setattr(saving, "carry_out", lambda requests, _: asked.extend(requests))
    done = in_process("txt2img", "--like", image, *model, "--seed", 4, "--tiling", "none")
    assert done.exit_code == 0, done.stderr
    (got,) = asked
    assert (got.prompt, got.steps, got.width, got.seed, got.tiling) == ("a dog", 2, 32, 4, "none")
    done = in_process("txt2img", "a cat", "--like", image, *model, "--count", 2)
    assert done.exit_code == 0, done.stderr
    assert (asked[1].prompt, asked[1].steps, asked[1].seed, asked[1].count) == ("a cat", 2, 3, 2)


# Words that differ from image to image


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of wildcards and a file of styles, where the settings say that they are."""
    (tmp_path / "animal.txt").write_text("cat\ndog\nowl\nfox\n")
    table = "name,prompt,negative_prompt\nink,{prompt} in ink,colour\n"
    (tmp_path / "styles.csv").write_text(table)
    monkeypatch.setenv("DARKROOM_WILDCARDS_FOLDER", str(tmp_path))
    monkeypatch.setenv("DARKROOM_STYLES_FILE", str(tmp_path / "styles.csv"))


@pytest.mark.usefixtures("words")
def test_each_image_of_a_wildcard_is_the_same_alone(tiny_checkpoint: TinyCheckpoint) -> None:
    name = str(tiny_checkpoint.safetensors)
    flags = Flags(model=name, seed=10, count=6, style=["ink"])
    made = wishes.requests(flags, prompt="a {big|small} __animal__")
    assert sum(request.count for request in made) == 6
    per_image = [
        (request.prompt, (request.seed or 0) + k) for request in made for k in range(request.count)
    ]
    assert [seed for _, seed in per_image] == list(range(10, 16))
    alone = [
        wishes.requests(
            dataclasses.replace(flags, seed=10 + k, count=1), prompt="a {big|small} __animal__"
        )[0]
        for k in range(6)
    ]
    assert [(request.prompt, request.seed) for request in alone] == per_image
    assert len({prompt for prompt, _ in per_image}) > 2
    assert {request.negative for request in made} == {"colour"}
    by_python = darkroom.load(name)._request(
        task="txt2img", prompt="a {big|small} __animal__", seed=10, count=6
    )
    assert wording.chosen(wording.styled(by_python, ["ink"])) == made


@pytest.mark.usefixtures("words")
def test_what_is_chosen_without_a_seed_comes_with_one() -> None:
    made = wishes.requests(Flags(count=40), prompt="a __animal__")
    seeds = [request.seed for request in made]
    counts = [request.count for request in made]
    assert None not in seeds
    assert [b - a for a, b in itertools.pairwise(seeds)] == counts[:-1]  # type: ignore[operator]
    assert sum(counts) == 40


@pytest.mark.usefixtures("words")
def test_what_has_no_choice_is_left_alone() -> None:
    for prompt, flags in (
        ("a cat", Flags()),
        ("a {big|small} __animal__", Flags(prompt_syntax="plain")),
    ):
        assert wishes.requests(flags, prompt=prompt) == (
            Request(prompt=prompt, prompt_syntax=flags.prompt_syntax),  # type: ignore[arg-type]
        )


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize("fields", [{"count": 0}, {"count": -3}, {"count": 10**9}, {"seed": 1.5}])
def test_numbers_that_cannot_be_meant_are_left_to_be_judged(fields: dict[str, Any]) -> None:
    request = Request(prompt="a __animal__", **fields)
    assert wording.chosen(request) == (request,)


@pytest.mark.usefixtures("words")
def test_variations_share_seed_and_words() -> None:
    flags = Flags(seed=1, count=5, variation_strength=0.1)
    (request,) = wishes.requests(flags, prompt="a __animal__")
    assert (request.count, request.seed) == (5, 1)


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize(
    ("flags", "prompt", "says"),
    [
        (Flags(style=["inc"]), "a cat", "Did you mean “ink”"),
        (Flags(), "a __anima__", "Did you mean __animal__"),
        (Flags(), "a __../../etc/passwd__", "A wildcard cannot be called"),
    ],
)
def test_words_that_are_not_there(flags: Flags, prompt: str, says: str) -> None:
    with pytest.raises(RequestError) as refused:
        wishes.requests(flags, prompt=prompt)
    assert says in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.usefixtures("words")
def test_images_of_wildcards_are_counted_through(run: Run) -> None:
    done = run("txt2img", "a __animal__", "--count", 4, "--seed", 1, "--json", "--steps", 1)
    images = json.loads(done.stdout)["images"]
    assert [image["seed"] for image in images] == [1, 2, 3, 4]
    assert len({image["prompt"] for image in images}) > 1
    made = darkroom.load(os.environ["DARKROOM_MODEL"], device="cpu", precision="fp32").txt2img(
        "a __animal__", count=4, seed=1, steps=1
    )
    events = list(made)
    assert [type(event) for event in events].count(Finished) == 1
    assert [event.index for event in events if isinstance(event, ImageDone)] == [0, 1, 2, 3]
    assert [image.recipe.prompt for image in made.images] == [image["prompt"] for image in images]
