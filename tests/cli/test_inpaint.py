"""`darkroom inpaint`: its words and flags become a Request, what cannot be meant is refused."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import darkroom
from darkroom.cli import saving
from darkroom.contracts import Finished, Request
from darkroom.errors import RequestError
from darkroom.images import inspection, io
from tests.cli.conftest import Run, assert_refused, in_process
from tests.tasks.pictures import photograph
from tests.tasks.test_inpaint_oracle import engine_of, networks
from tests.tiny import TinyCheckpoint

# Flags as they are typed, and what they are in a Request.
SAID: dict[str, tuple[list[object], dict[str, Any]]] = {
    "nothing": ([], {}),
    "mask": (
        ["--mask-invert", "--mask-grow", 0, "--mask-blur", 4],
        {"mask_invert": True, "mask_grow": 0, "mask_blur": 4},
    ),
    "region": (["--region", "masked", "--padding", 0], {"region": "masked", "region_padding": 0}),
    "strength": (["--strength", 0, "--fill", "noise"], {"strength": 0.0, "fill": "noise"}),
    "extend": (["--extend", "1,2,3,4"], {"extend": (1, 2, 3, 4)}),
    "beyond reason": (["--mask-grow", -5, "--fill", "x"], {"mask_grow": -5, "fill": "x"}),
}


@pytest.fixture(autouse=True)
def pictures(run: Run) -> None:
    """`photo.png` and `mask.png` in the working directory."""
    Path("photo.png").write_bytes(photograph(40, 56))
    mask = Image.new("L", (40, 56))
    mask.paste(255, (8, 8, 30, 40))
    mask.save("mask.png")


def said(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> list[Request]:
    """The Requests that the command line makes of its arguments."""
    asked: list[Request] = []
    monkeypatch.setattr(saving, "carry_out", lambda requests, _: asked.extend(requests))
    done = in_process("inpaint", *arguments)
    assert done.exit_code == 0, done.stderr
    return asked


@pytest.mark.parametrize("name", SAID)
def test_flags_and_python_say_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: TinyCheckpoint
) -> None:
    flags, fields = SAID[name]
    (typed,) = said(monkeypatch, "photo.png", "mask.png", "a cat", "--steps", 3, *flags)
    asked: list[Request] = []

    def run_all(self: object, requests: tuple[Request, ...], **_: object) -> Any:
        asked.extend(requests)
        yield Finished(images=0, seconds=0.0)

    monkeypatch.setattr("darkroom.tasks.engine.Engine.run_all", run_all)
    model = darkroom.load(tiny_checkpoint.safetensors, device="cpu", precision="fp32")
    list(model.inpaint("photo.png", "mask.png", "a cat", steps=3, **fields))
    assert asked == [typed]
    assert typed.task == "inpaint"
    assert {name: getattr(typed, name) for name in fields} == fields


def test_the_words_after_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = Path("mask.png").read_bytes()
    Path("prompts.txt").write_text("a cat\na dog\n")
    both, alone, from_file = (
        [(request.mask, request.prompt) for request in said(monkeypatch, "photo.png", *words)]
        for words in (
            ["mask.png", "a cat"],
            ["a cat"],
            ["mask.png", "--from-file", "prompts.txt"],
        )
    )
    assert both == [(mask, "a cat")]
    assert alone == [(None, "a cat")]
    assert from_file == [(mask, "a cat"), (mask, "a dog")]


def test_an_inpainted_image_is_saved_and_made_again(
    run: Run, tiny_checkpoint: TinyCheckpoint
) -> None:
    done = run("inpaint", "photo.png", "mask.png", "a cat", "--out", "cat.png")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "cat.png\n"
    assert "40 x 56, painted at " in done.stderr
    recipe = inspection.inspect_file(Path("cat.png")).recipe
    assert recipe is not None
    assert recipe.outside_unchanged
    assert "outside unchanged: True" in run("inspect", "cat.png").stdout
    files = ["--input", "photo.png", "--mask", "mask.png", "--model", tiny_checkpoint.safetensors]
    again = run("replay", "cat.png", "--verify", *files)
    assert again.exit_code == 0, again.stderr
    like = run("inpaint", "photo.png", "mask.png", "--like", "cat.png", "--out", "like.png")
    assert like.exit_code == 0, like.stderr
    both = [io.read_file(Path(name)).pixels.tobytes() for name in ("cat.png", "like.png")]
    assert both[0] == both[1]


def test_the_plan_tells_both_sizes(run: Run) -> None:
    done = run("inpaint", "photo.png", "a cat", "--extend", "0,0,8,0", "--plan")
    assert done.exit_code == 0, done.stderr
    assert "48 x 56, painted at " in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["photo.png", "black.png", "a cat"], "The mask is black everywhere"),
        (["photo.png", "a cat"], "There is no mask: nothing says where to paint."),
        (["photo.png"], "There is no prompt."),
        (["photo.png", "mask.png"], "There is no prompt."),
        (["photo.png", "mask.png", "a", "cat"], "Put the prompt in quotes"),
        (["photo.png", "absent.png", "a cat"], "absent.png cannot be read"),
        (["narrow.png", "mask.png", "a cat"], "An image of 30000 × 2 is too narrow"),
        (["photo.png", "mask.png", "a cat", "--extend", "8"], "four numbers of pixels, not '8'"),
        (["photo.png", "mask.png", "a cat", "--extend", "0,0,-8,0"], "the nearest that works is 0"),
        (["photo.png", "mask.png", "a cat", "--padding", "8"], "Padding is about the masked"),
        (
            ["photo.png", "mask.png", "a cat", "--model", "other.safetensors"],
            "it cannot do inpaint",
        ),
    ],
)
def test_what_cannot_be_painted_is_refused_and_nothing_is_written(
    run: Run, words: list[str], says: str
) -> None:
    Image.new("L", (40, 56)).save("black.png")
    Image.new("RGB", (30_000, 2)).save("narrow.png")
    if "other.safetensors" in words:
        words = [*words[:-1], engine_of(networks(8), Path()).model]
    before = sorted(Path().iterdir())
    assert says in assert_refused(run("inpaint", *words, "--out", "out.png"), 2)
    assert sorted(Path().iterdir()) == before


def test_image_guidance_is_for_models_that_follow_instructions(run: Run) -> None:
    refused = run("img2img", "photo.png", "make it red", "--image-guidance", 1.5)
    assert "Image guidance is for models that follow instructions" in assert_refused(refused, 2)
    model = engine_of(networks(8), Path()).model
    for said in [], ["--image-guidance", 3]:
        done = run("img2img", "photo.png", "make it red", *said, "--model", model, "--seed", 1)
        assert done.exit_code == 0, done.stderr
        recipe = inspection.inspect_file(Path(done.stdout.strip())).recipe
        assert recipe is not None
        assert recipe.image_guidance == (3.0 if said else 1.5)


def test_python_refuses_as_the_command_does(tiny_checkpoint: TinyCheckpoint) -> None:
    model = darkroom.load(tiny_checkpoint.safetensors, device="cpu", precision="fp32")
    with pytest.raises(RequestError, match="There is no mask"):
        model.inpaint("photo.png", None, "a cat")
