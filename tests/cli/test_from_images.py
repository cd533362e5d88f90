"""`darkroom depth2img`, `upscale` and `vary`: flags, files, recipes, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import darkroom
from darkroom.cli import saving
from darkroom.contracts import Finished, Request
from darkroom.images import depth_maps, inspection
from tests import tiny
from tests.cli.conftest import Run, assert_refused, in_process
from tests.tasks.pictures import photograph
from tests.tiny import Kind

Model = Callable[[Kind], Path]


@pytest.fixture(scope="session")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("kinds")

    def model(kind: Kind) -> Path:
        file = folder / f"tiny-{kind}.safetensors"
        return file if file.exists() else tiny.write(folder, kind).safetensors

    return model


@pytest.fixture(autouse=True)
def pictures(run: Run) -> None:
    """`photo.png`, `other.png` and `depth.png` in the working directory."""
    Path("photo.png").write_bytes(photograph(20, 12))
    Path("other.png").write_bytes(photograph(9, 30))
    Path("depth.png").write_bytes(depth_maps.encode(np.eye(12, 20, dtype=np.float32)))


def typed(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Request:
    """The Request that the command line makes of its arguments."""
    asked: list[Request] = []
    monkeypatch.setattr(saving, "carry_out", lambda requests, _: asked.extend(requests))
    done = in_process(*arguments)
    assert done.exit_code == 0, done.stderr
    (request,) = asked
    return request


WISHES: dict[str, tuple[Kind, list[object], Callable[[Any], Any]]] = {
    "depth2img": (
        "sd2-depth",
        ["photo.png", "a cat", "--strength", 0.7, "--depth", "depth.png"],
        lambda m: m.depth2img("photo.png", "a cat", strength=0.7, depth="depth.png", steps=2),
    ),
    "upscale": (
        "x4",
        ["photo.png", "--noise-level", 30],
        lambda m: m.upscale("photo.png", noise_level=30, steps=2),
    ),
    "vary": (
        "unclip-h",
        ["photo.png", "--with", "other.png:0.5", "--weight", 2, "--noise-level", 3],
        lambda m: m.vary(
            "photo.png", images=["other.png"], weights=[2, 0.5], noise_level=3, steps=2
        ),
    ),
}


@pytest.mark.parametrize("command", WISHES)
def test_flags_and_python_say_the_same(
    command: str, monkeypatch: pytest.MonkeyPatch, model_of: Model
) -> None:
    kind, words, ask = WISHES[command]
    file = model_of(kind)
    said = typed(monkeypatch, command, *words, "--model", file)
    asked: list[Request] = []

    def run_all(self: object, requests: tuple[Request, ...], **_: object) -> Any:
        asked.extend(requests)
        yield Finished(images=0, seconds=0.0)

    monkeypatch.setattr("darkroom.tasks.engine.Engine.run_all", run_all)
    list(ask(darkroom.load(file, device="cpu", precision="fp32")))
    assert asked == [said]


def test_depth_is_saved_and_given_back(run: Run, model_of: Model) -> None:
    said = ("depth2img", "photo.png", "a cat", "--seed", 1, "--model", model_of("sd2-depth"))
    first = run(*said, "--save-depth", "map.png", "--out", "one.png")
    assert first.exit_code == 0, first.stderr
    assert first.stdout == "one.png\n"
    with Image.open("map.png") as depths:
        assert depths.mode == "I;16"
    second = run(*said, "--depth", "map.png", "--out", "two.png")
    # Its shape is that at which the network looks, close to the image's.
    assert second.exit_code == 0, second.stderr
    again = run(*said, "--save-depth", "map.png", "--out", "three.png")
    assert "map.png exists already" in assert_refused(again, 1)
    assert not Path("three.png").exists()


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("depth2img", ["--input", "photo.png", "--depth", "depth.png"]),
        ("upscale", ["--input", "photo.png"]),
        ("vary", ["--input", "photo.png", "--image", "other.png"]),
    ],
)
def test_replay_makes_it_again(run: Run, model_of: Model, command: str, files: list[str]) -> None:
    kind, words, _ = WISHES[command]
    model = model_of(kind)
    done = run(command, *words, "--model", model, "--out", "one.png")
    assert done.exit_code == 0, done.stderr
    recipe = inspection.inspect_file(Path("one.png")).recipe
    assert recipe is not None
    assert recipe.task == command
    again = run("replay", "one.png", "--verify", "--model", model, *files)
    assert again.exit_code == 0, again.stderr
    assert assert_refused(run("replay", "one.png", "--model", model), 2)


def test_the_plan_says_what_it_costs(run: Run, model_of: Model) -> None:
    Path("large.png").write_bytes(photograph(300, 200))
    done = run("upscale", "large.png", "--model", model_of("x4"), "--plan")
    assert done.exit_code == 0, done.stderr
    assert "1200 x 800" in done.stdout


@pytest.mark.parametrize(
    ("kind", "words", "says"),
    [
        ("sd1", ["upscale", "photo.png"], "it cannot do upscale"),
        ("sd1", ["vary", "photo.png"], "it cannot do vary"),
        ("sd2-depth", ["inpaint", "photo.png", "photo.png", "x"], "it cannot do inpaint"),
        ("sd2-depth", ["depth2img", "photo.png"], "There is no prompt"),
        ("sd2-depth", ["depth2img", "photo.png", "x", "--depth", "other.png"], "another shape"),
        ("sd2-depth", ["depth2img", "photo.png", "x", "--save-depth", "m.jpg"], "End it in .png"),
        (
            "sd2-depth",
            ["depth2img", "photo.png", "x", "--out", "m.png", "--save-depth", "./m.png"],
            "m.png would be both",
        ),
        ("x4", ["upscale", "long.png"], "30000 x 2|enlarged 4 times would be"),
        ("x4", ["upscale", "photo.png", "--noise-level", 400], "Noise level 400 is out of range"),
        ("unclip-h", ["vary", "photo.png", "--weight", 0, "--with", "other.png:0"], "are 0"),
        ("unclip-h", ["vary", "photo.png", "--weight", 0], "are 0"),
        ("unclip-h", ["vary", "photo.png", "--with", "absent.png"], "absent.png"),
        ("unclip-h", ["vary", "long.png"], "30000 × 2 is too narrow"),
        ("unclip-h", ["vary", "photo.png", "--with", "long.png"], "30000 × 2 is too narrow"),
    ],
)
def test_refused(run: Run, model_of: Model, kind: Kind, words: list[object], says: str) -> None:
    Image.new("L", (30_000, 2)).save("long.png")
    before = set(Path().iterdir())
    done = run(*words, "--model", model_of(kind))
    told = assert_refused(done, 2)
    assert any(one in told for one in says.split("|")), told
    assert set(Path().iterdir()) == before


def test_the_users_word_goes_before_a_configuration(run: Run, model_of: Model) -> None:
    model = Path("model.safetensors")
    model.symlink_to(model_of("sd2"))
    Path("model.yaml").write_text("model:\n  params:\n    parameterization: x0\n")
    words = ("txt2img", "x", "--model", model, "--plan")
    assert "parameterization 'x0'" in assert_refused(run(*words), 2)
    done = run(*words, "--prediction", "v")
    assert done.exit_code == 0, done.stderr
    assert "predicts v: as asked for" in done.stdout
    darkroom.load(model, prediction="v")
