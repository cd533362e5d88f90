"""Stability's commands, word for word: flags, defaults, files, and the defects that are mended."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from PIL import Image

from compat.stability.scripts import img2img, txt2img
from compat.stability.scripts.gradio import depth2img as gradio_depth2img
from compat.stability.scripts.gradio import inpainting as gradio_inpainting
from compat.stability.scripts.gradio import superresolution as gradio_superresolution
from compat.stability.scripts.streamlit import depth2img as streamlit_depth2img
from compat.stability.scripts.streamlit import inpainting as streamlit_inpainting
from compat.stability.scripts.streamlit import stableunclip
from compat.stability.scripts.streamlit import superresolution as streamlit_superresolution
from compat.stability.scripts.tests import test_watermark as watermark_script
from darkroom.contracts import Event, Recipe, Request
from darkroom.images import inspection, io, watermark
from darkroom.tasks.engine import Engine
from tests import tiny
from tests.cli.conftest import in_process
from tests.compat.test_compvis import shell
from tests.tiny import Kind

STABILITY = Path(__file__).parents[2] / "compat" / "stability"
CONFIGS = "configs/stable-diffusion"
SMALL = ["--steps", "2", "--W", "64", "--H", "64", "--precision", "full"]
ONE = ["--n_iter", "1", "--n_samples", "1"]
TXT2IMG, IMG2IMG = "outputs/txt2img-samples", "outputs/img2img-samples"

Main = Callable[[Sequence[str]], int]
Checkpoint = Callable[[Kind], str]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The path of a tiny random checkpoint of a kind."""
    folder, written = tmp_path_factory.mktemp("models"), dict[Kind, str]()

    def find(kind: Kind) -> str:
        if kind not in written:
            written[kind] = str(tiny.write(folder, kind).ckpt)
        return written[kind]

    return find


@pytest.fixture(autouse=True)
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, but for an image and a mask."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARKROOM_DEVICE", "cpu")
    picture((64, 64)).save("start.png")
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    Image.fromarray(mask).save("mask.png")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The Requests that reach the engine."""
    seen: list[Request] = []
    carry_out = Engine.run_all

    def run_all(
        engine: Engine, requests: Sequence[Request], *, previews: bool = False
    ) -> Generator[Event]:
        seen.extend(requests)
        return carry_out(engine, requests, previews=previews)

    monkeypatch.setattr(Engine, "run_all", run_all)
    return seen


def picture(size: tuple[int, int]) -> Image.Image:
    return Image.effect_mandelbrot(size, (-2, -1, 1, 1), 50).convert("RGB")


def recipe(file: str) -> Recipe:
    found = inspection.inspect_file(Path(file)).recipe
    assert found is not None
    return found


def images(folder: str) -> list[io.Pixels]:
    return [io.read_file(file).pixels for file in sorted(Path(folder).glob("*.png"))]


def files(folder: str) -> list[str]:
    root = Path(folder)
    return sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())


# Flags and defaults

SHARED = {
    "fixed_code": False,
    "ddim_eta": 0.0,
    "C": 4,
    "f": 8,
    "n_rows": 0,
    "scale": 9.0,
    "from_file": None,
    "config": "configs/stable-diffusion/v2-inference.yaml",
    "ckpt": None,
    "seed": 42,
    "precision": "autocast",
}


def test_every_flag_of_txt2img_and_its_default() -> None:
    assert vars(txt2img.parse([])) == SHARED | {
        "prompt": "a professional photograph of an astronaut riding a triceratops",
        "outdir": TXT2IMG,
        "steps": 50,
        "plms": False,
        "dpm": False,
        "n_iter": 3,
        "H": 512,
        "W": 512,
        "n_samples": 3,
        "repeat": 1,
        "device": "cpu",
        "torchscript": False,
        "ipex": False,
        "bf16": False,
    }


def test_every_flag_of_img2img_and_its_default() -> None:
    assert vars(img2img.parse([])) == SHARED | {
        "prompt": "a painting of a virus monster playing guitar",
        "outdir": IMG2IMG,
        "init_img": None,
        "ddim_steps": 50,
        "n_iter": 1,
        "n_samples": 2,
        "strength": 0.8,
    }


PAGE = {"port": None, "no_browser": False}


@pytest.mark.parametrize(
    ("parse", "name", "defaults"),
    [
        (gradio_depth2img.parse, "depth2img", {"num_samples": 1, "strength": 0.9, "seed": None}),
        (streamlit_depth2img.parse, "depth2img", {"num_samples": 1, "strength": 0.9, "seed": 0}),
        (
            gradio_inpainting.parse,
            "inpainting",
            {"num_samples": 4, "steps": 45, "scale": 10.0, "eta": 1.0, "seed": None, "mask": None},
        ),
        (
            streamlit_inpainting.parse,
            "inpainting",
            {"num_samples": 1, "scale": 10.0, "seed": 0, "mask": None},
        ),
        (
            gradio_superresolution.parse,
            "superresolution",
            {"num_samples": 1, "steps": 75, "scale": 10.0, "noise_level": 20, "seed": None},
        ),
        (
            streamlit_superresolution.parse,
            "superresolution",
            {
                "num_samples": 1,
                "noise_level": 20,
                "seed": 0,
                "prompt": "a high quality professional photograph",
            },
        ),
    ],
)
def test_every_widget_and_its_default(
    parse: Callable[[Sequence[str]], argparse.Namespace], name: str, defaults: dict[str, Any]
) -> None:
    usual = {"prompt": "", "image": None, "steps": 50, "scale": 9.0, "eta": 0.0} | PAGE
    where = {"config": "x.yaml", "ckpt": "x.ckpt", "outdir": f"outputs/demo/{name}"}
    assert vars(parse(["x.yaml", "x.ckpt"])) == usual | where | defaults
    options = parse(["--", "x.yaml", "x.ckpt", "--input_image", "a.png", "--ddim_steps", "9"])
    assert (options.image, options.steps) == ("a.png", 9), "as streamlit and as the code call it"


def test_every_widget_of_unclip_and_its_default() -> None:
    assert vars(stableunclip.parse([])) == {
        "version": "Stable unCLIP-L",
        "use_karlo": False,
        "image": None,
        "images": [],
        "weights": [],
        "noise_level": None,
        "prompt": "a professional photograph",
        "negative_prompt": "",
        **PAGE,
        "scale": 10.0,
        "number_rows": 2,
        "number_cols": 2,
        "steps": 20,
        "eta": 0.0,
        "force_full_precision": False,
        "H": 768,
        "W": 768,
        "seed": 42,
        "sampler": "DDIM",
        "ckpt": None,
        "outdir": "outputs/demo/stable-unclip",
    }


# Equal wishes are equal Requests and equal images

SQUARE, STEPS = "--H 64 --W 64", "--steps 3 --guidance"
THEN = "--prompt cat --seed 7"
NOW = "--model MODEL --prompt-syntax plain --sampler SAMPLER --eta 0 --seed 7 --batch 1 --out new"
SMALL_NOW = f"--width 64 --height 64 {NOW}"
TEXT_THEN = f"--n_iter 1 --n_samples 1 --steps 2 {SQUARE} --ckpt MODEL {THEN}"
TEXT_NOW = f"txt2img cat --steps 2 --guidance 9 {SMALL_NOW}"
DEMO_THEN = f"MODEL --image start.png --steps 3 --num_samples 1 {THEN}"
PAIRS: list[tuple[Kind, Main, str, str]] = [
    ("sd2", txt2img.main, TEXT_THEN, TEXT_NOW),
    ("sd2", txt2img.main, f"--plms {TEXT_THEN}", TEXT_NOW.replace("SAMPLER", "plms")),
    (
        "sd2",
        txt2img.main,
        f"--config v2-inference.yaml --precision full {TEXT_THEN}",
        f"{TEXT_NOW} --prediction eps --precision fp32",
    ),
    ("sd2-v", txt2img.main, TEXT_THEN, TEXT_NOW),
    (
        "sd2-v",
        txt2img.main,
        f"--config {CONFIGS}/v2-inference-v.yaml {TEXT_THEN}",
        f"{TEXT_NOW} --prediction v",
    ),
    (
        "sd2",
        img2img.main,
        f"--init-img start.png --n_samples 1 --ddim_steps 3 --ckpt MODEL {THEN}",
        f"img2img start.png cat --strength 0.8 {STEPS} 9 {SMALL_NOW}",
    ),
    (
        "sd2-depth",
        gradio_depth2img.main,
        f"{CONFIGS}/v2-midas-inference.yaml {DEMO_THEN}",
        f"depth2img start.png cat --strength 0.9 {STEPS} 9 --prediction eps {SMALL_NOW}",
    ),
    (
        "sd2-inpaint",
        streamlit_inpainting.main,
        f"{CONFIGS}/v2-inpainting-inference.yaml {DEMO_THEN} --mask mask.png",
        f"inpaint start.png mask.png cat {STEPS} 10 --prediction eps {SMALL_NOW}",
    ),
    (
        "x4",
        streamlit_superresolution.main,
        f"{CONFIGS}/x4-upscaling.yaml {DEMO_THEN}",
        f"upscale start.png cat {STEPS} 9 --noise-level 20 --prediction v {NOW}",
    ),
    (
        "unclip-l",
        stableunclip.main,
        f"--image start.png --number_rows 1 --number_cols 1 --steps 3 {SQUARE} {THEN} --ckpt MODEL",
        f"vary start.png cat {STEPS} 10 --noise-level 0 --no-watermark {SMALL_NOW}",
    ),
]


@pytest.mark.parametrize(
    ("kind", "main", "then", "now"),
    PAIRS,
    ids=[f"{kind} {then[:12]}" for kind, _, then, _ in PAIRS],
)
def test_equal_wishes_are_equal_requests_and_equal_images(
    checkpoint: Checkpoint, asked: list[Request], kind: Kind, main: Main, then: str, now: str
) -> None:
    names = {"MODEL": checkpoint(kind), "SAMPLER": "ddim"}
    assert main([names.get(word, word) for word in then.split()]) == 0
    done = in_process(*(names.get(word, word) for word in now.split()))
    assert done.exit_code == 0, done.stderr
    assert asked[0] == asked[1]
    (old,), (new,) = (
        [io.read_file(file).pixels for file in Path(folder).rglob("[0-9]*.png")]
        for folder in ("outputs", "new")
    )
    assert new.std() > 1, "a flat image would prove nothing"
    assert np.array_equal(old, new)


def test_dpm_is_dpm_solver(checkpoint: Checkpoint, asked: list[Request]) -> None:
    assert txt2img.main([*SMALL, *ONE, "--dpm", "--ckpt", checkpoint("sd2")]) == 0
    assert (asked[0].sampler, asked[0].eta) == ("dpm_solver", None)


def test_bf16(checkpoint: Checkpoint) -> None:
    flags = ["--bf16", "--ipex", "--torchscript", "--ckpt", checkpoint("sd2")]
    assert txt2img.main([*SMALL, *ONE, *flags]) == 0
    assert recipe(f"{TXT2IMG}/samples/00000.png").precision == "bf16"


def test_several_images_are_mixed(checkpoint: Checkpoint, asked: list[Request]) -> None:
    picture((40, 50)).save("other.png")
    flags = ["--version", "Stable unOpenCLIP-H", "--ckpt", checkpoint("unclip-h")]
    size = ["--H", "64", "--W", "64", "--steps", "1", "--number_rows", "2", "--number_cols", "1"]
    mixed = ["--image", "start.png", "--images", "other.png", "--weights", "1", "0.5"]
    assert stableunclip.main([*flags, *size, *mixed]) == 0
    assert (asked[0].image_weights, asked[0].noise_level) == ((1, 0.5), 50)
    folder = "outputs/demo/stable-unclip/Stable unOpenCLIP-H"
    assert files(folder) == ["grid-000000.png", "samples/000000000.png", "samples/000000001.png"]


# Files


def test_folders_names_and_seeds(checkpoint: Checkpoint) -> None:
    flags = ["--n_iter", "2", "--n_samples", "2", "--ckpt", checkpoint("sd2")]
    for first in (0, 4):
        assert txt2img.main([*SMALL, *flags]) == 0
        names = [f"{TXT2IMG}/samples/{number:05}.png" for number in range(first, first + 4)]
        assert [recipe(name).seed for name in names] == [42, 43, 44, 45]
    assert files(TXT2IMG)[:2] == ["grid-0000.png", "grid-0001.png"]
    assert len(files(TXT2IMG)) == 10
    assert io.read_file(Path(f"{TXT2IMG}/grid-0000.png")).pixels.shape == (134, 134, 3)


def test_the_depths_are_saved(checkpoint: Checkpoint) -> None:
    flags = ["--image", "start.png", "--steps", "2", "--num_samples", "2"]
    config = f"{CONFIGS}/v2-midas-inference.yaml"
    assert gradio_depth2img.main([config, checkpoint("sd2-depth"), *flags]) == 0
    assert files("outputs/demo/depth2img") == [
        "depth-0000.png",
        "samples/00000.png",
        "samples/00001.png",
    ]


def test_the_watermark(checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--steps", "1", "--W", "256", "--H", "256", *ONE, "--ckpt", checkpoint("sd2")]
    assert txt2img.main(flags) == 0
    for name in ("samples/00000.png", "grid-0000.png"):
        pixels = io.read_file(Path(TXT2IMG, name)).pixels
        assert watermark.agreement(pixels, b"SDV2") > 0.75
    assert recipe(f"{TXT2IMG}/samples/00000.png").watermark == "SDV2"
    start = f"{TXT2IMG}/samples/00000.png"
    flags = ["--init-img", start, "--ddim_steps", "2", *ONE, "--ckpt", checkpoint("sd2")]
    assert img2img.main(flags) == 0
    assert recipe(f"{IMG2IMG}/samples/00000.png").watermark == "SDV2"


def test_the_watermark_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The reference's own finds `StableDiffusionV1` only."""
    shades = np.linspace(60, 200, 512).astype(np.uint8)
    grey = np.broadcast_to(shades[:, None, None], (512, 512, 3)).copy()
    for payload, said in (
        (b"SDV2", "SDV2"),
        (b"StableDiffusionV1", "StableDiffusionV1"),
        (b"\xff" * 17, "null"),
    ):
        Image.fromarray(watermark.embed(grey, payload)).save("marked.png")
        assert watermark_script.main(["marked.png"]) == 0
        assert capsys.readouterr().out == f"{said}\n"
    assert watermark_script.main(["start.png"]) == 0, "the reference crashes on a small image"
    assert capsys.readouterr().out == "null\n"
    assert watermark_script.main(["absent.png"]) == 2


# What the reference gets wrong


@pytest.mark.parametrize(("kind", "says"), [("sd2-v", "v"), ("sd2", "eps")])
def test_the_default_configuration_is_no_word(
    checkpoint: Checkpoint, kind: Kind, says: str
) -> None:
    """The reference takes every model for one that predicts eps: v models give noise."""
    assert txt2img.main([*SMALL, *ONE, "--ckpt", checkpoint(kind)]) == 0
    assert recipe(f"{TXT2IMG}/samples/00000.png").prediction == says


def test_a_configuration_that_exists_is_read(checkpoint: Checkpoint) -> None:
    Path(CONFIGS).mkdir(parents=True)
    Path(CONFIGS, "v2-inference.yaml").write_text("model:\n  params:\n    parameterization: v\n")
    assert txt2img.main([*SMALL, *ONE, "--ckpt", checkpoint("sd2")]) == 0
    assert recipe(f"{TXT2IMG}/samples/00000.png").prediction == "v"


def test_what_a_hint_names_exists_here(
    checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    """Darkroom's own --prediction is no flag of theirs."""
    Path(CONFIGS).mkdir(parents=True)
    Path(CONFIGS, "v2-inference.yaml").write_text("model: [")
    assert txt2img.main([*SMALL, *ONE, "--ckpt", checkpoint("sd2")]) == 2
    told = capsys.readouterr().err
    assert "not laid out as such files are" in told
    assert "--prediction" not in told
    assert "parameterization: eps or v" in told


def test_a_partial_last_batch_and_repeated_prompts(checkpoint: Checkpoint) -> None:
    Path("prompts.txt").write_text("one\ntwo\nthree\n")
    flags = ["--from-file", "prompts.txt", "--repeat", "2", "--n_samples", "4", "--n_iter", "1"]
    assert txt2img.main([*SMALL, *flags, "--ckpt", checkpoint("sd2")]) == 0
    made = [recipe(f"{TXT2IMG}/samples/{number:05}.png") for number in range(6)]
    assert [one.prompt for one in made] == ["one", "one", "two", "two", "three", "three"]
    assert [one.seed for one in made] == list(range(42, 48))


@pytest.mark.parametrize(
    ("size", "becomes"), [((100, 150), (64, 128)), ((1, 40), (64, 64)), ((64, 64), (64, 64))]
)
def test_sizes_of_img2img(
    checkpoint: Checkpoint, size: tuple[int, int], becomes: tuple[int, int]
) -> None:
    """The reference's become 0 below 64."""
    picture(size).save("start.png")
    flags = ["--init-img", "start.png", "--ddim_steps", "2", *ONE, "--ckpt", checkpoint("sd2")]
    assert img2img.main([*flags, "--strength", "1.0"]) == 0, "it reads past its table"
    with Image.open(f"{IMG2IMG}/samples/00000.png") as image:
        assert image.size == becomes


@pytest.mark.parametrize("main", [gradio_depth2img.main, streamlit_depth2img.main])
def test_sizes_of_the_demonstrations(checkpoint: Checkpoint, main: Main) -> None:
    """The reference leaves its padding in the image, or makes it smaller."""
    picture((72, 100)).save("start.png")
    config = "v2-midas-inference.yaml"
    flags = ["--image", "start.png", "--steps", "2"]
    assert main([config, checkpoint("sd2-depth"), *flags]) == 0
    with Image.open("outputs/demo/depth2img/samples/00000.png") as image:
        assert image.size == (72, 96)


def test_outside_the_mask_nothing_changes(checkpoint: Checkpoint) -> None:
    """The reference returns what the autoencoder makes of the whole image."""
    picture((100, 150)).save("start.png")
    mask = np.zeros((150, 100), np.uint8)
    mask[40:80, 30:70] = 255
    Image.fromarray(mask).save("mask.png")
    flags = ["--image", "start.png", "--mask", "mask.png", "--steps", "2", "--num_samples", "1"]
    config = f"{CONFIGS}/v2-inpainting-inference.yaml"
    assert gradio_inpainting.main([config, checkpoint("sd2-inpaint"), *flags]) == 0
    (made,) = images("outputs/demo/inpainting/samples")
    start = io.read_file(Path("start.png")).pixels
    assert np.array_equal(made[mask == 0], start[mask == 0])
    assert not np.array_equal(made, start)
    assert recipe("outputs/demo/inpainting/samples/00000.png").eta == 1


# Refusals


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (txt2img.main, []),
        (txt2img.main, ["--ckpt", "absent.ckpt"]),
        (txt2img.main, ["--repeat", "0", "--ckpt", "sd2"]),
        (txt2img.main, ["--n_samples", "0", "--ckpt", "sd2"]),
        (txt2img.main, ["--config", "absent.yaml", "--ckpt", "sd2"]),
        (txt2img.main, ["--config", "v2-inpainting-inference.yaml", "--ckpt", "sd2"]),
        (txt2img.main, ["--plms", "--config", "v2-inference-v.yaml", "--ckpt", "sd2-v"]),
        (txt2img.main, ["--device", "xpu:7", "--ckpt", "sd2"]),
        (img2img.main, ["--ckpt", "sd2"]),
        (gradio_depth2img.main, ["v2-midas-inference.yaml", "sd2", "--image", "start.png"]),
        (gradio_superresolution.main, ["x4-upscaling.yaml", "x4", "--image", "absent.png"]),
        (gradio_inpainting.main, ["v2-inference.yaml", "sd2-inpaint", "--image", "start.png"]),
        (stableunclip.main, ["--image", "start.png", "--number_rows", "11"]),
        (stableunclip.main, ["--image", "start.png"]),
    ],
)
def test_refused_in_one_sentence(
    checkpoint: Checkpoint,
    main: Main,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds: dict[str, Kind] = {str(kind): kind for kind in tiny.KINDS}
    assert main([checkpoint(kinds[word]) if word in kinds else word for word in arguments]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said[-2:]] == ["error", "hint"]
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("script", "config", "kind", "expected"),
    [
        (
            "gradio/superresolution",
            "x4-upscaling",
            "x4",
            {"task": "upscale", "steps": "75", "noise_level": "20"},
        ),
        (
            "streamlit/depth2img",
            "v2-midas-inference",
            "sd2-depth",
            {"task": "depth2img", "strength": "0.9", "seed": "0"},
        ),
        (
            "gradio/inpainting",
            "v2-inpainting-inference",
            "sd2-inpaint",
            {"task": "inpaint", "eta": "1.0", "count": "4"},
        ),
    ],
)
def test_without_an_image_the_page_opens_on_the_task(
    script: str,
    config: str,
    kind: Kind,
    expected: dict[str, str],
    checkpoint: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DARKROOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path / "models"))
    file, path = checkpoint(kind), STABILITY / "scripts" / f"{script}.py"
    server = subprocess.Popen(
        [sys.executable, path, f"{CONFIGS}/{config}.yaml", file, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = urlsplit(server.stdout.readline().strip())
    finally:
        server.terminate()
        server.communicate(timeout=30)
    page, _, query = address.fragment.partition("?")
    said = dict(parse_qsl(query))
    assert page == "/create"
    assert expected.items() <= said.items()
    assert said["model"] == Path(file).stem


@pytest.mark.parametrize("arguments", [["--use_karlo"], ["--version", "Full Karlo"]])
def test_karlo_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert stableunclip.main(arguments) == 2
    streams = capsys.readouterr()
    assert len(streams.err.splitlines()) == 1
    assert streams.out == ""


def test_the_demonstrations_say_how_they_run() -> None:
    done = shell("scripts/gradio/superresolution.py", "--help", folder=STABILITY)
    assert done.returncode == 0, done.stderr
    assert "Without --image Darkroom's page opens on this task" in " ".join(done.stdout.split())
