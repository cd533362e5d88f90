"""CompVis's commands, word for word: flags, defaults, files, and the defects that are mended."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compat.compvis.scripts import img2img, txt2img
from compat.compvis.scripts.tests import test_watermark as watermark_script
from darkroom.contracts import Recipe
from darkroom.images import inspection, io, watermark
from tests.cli.conftest import environment, in_process
from tests.tiny import TinyCheckpoint

COMPVIS = Path(__file__).parents[2] / "compat" / "compvis"
SMALL = ["--ddim_steps", "4", "--W", "64", "--H", "64"]

Main = Callable[..., int]


@pytest.fixture
def ckpt(
    tiny_checkpoint: TinyCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The flags that name the tiny checkpoint; the working directory is empty."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("DARKROOM_DEVICE", "cpu")
    return ["--ckpt", str(tiny_checkpoint.ckpt), "--precision", "full"]


def recipe(file: Path) -> Recipe:
    found = inspection.inspect_file(file).recipe
    assert found is not None
    return found


def pixels(file: Path) -> io.Pixels:
    return io.read_file(file).pixels


def files(folder: str = "outputs/txt2img-samples") -> list[str]:
    root = Path(folder)
    return sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())


SHARED_DEFAULTS = {
    "prompt": "a painting of a virus monster playing guitar",
    "skip_grid": False,
    "skip_save": False,
    "ddim_steps": 50,
    "plms": False,
    "fixed_code": False,
    "ddim_eta": 0.0,
    "C": 4,
    "f": 8,
    "n_rows": 0,
    "from_file": None,
    "config": "configs/stable-diffusion/v1-inference.yaml",
    "ckpt": "models/ldm/stable-diffusion-v1/model.ckpt",
    "seed": 42,
    "precision": "autocast",
}


def test_every_flag_of_txt2img_and_its_default() -> None:
    assert vars(txt2img.parse([])) == SHARED_DEFAULTS | {
        "outdir": "outputs/txt2img-samples",
        "dpm_solver": False,
        "laion400m": False,
        "n_iter": 2,
        "H": 512,
        "W": 512,
        "n_samples": 3,
        "scale": 7.5,
    }


def test_every_flag_of_img2img_and_its_default() -> None:
    assert vars(img2img.parse([])) == SHARED_DEFAULTS | {
        "outdir": "outputs/img2img-samples",
        "init_img": None,
        "n_iter": 1,
        "n_samples": 2,
        "scale": 5.0,
        "strength": 0.75,
    }


def test_abbreviated_flags() -> None:
    options = txt2img.parse(["--skip_g", "--n_s", "1", "--from", "x.txt", "--out", "here"])
    assert (options.skip_grid, options.n_samples, options.from_file) == (True, 1, "x.txt")
    assert options.outdir == "here"


def test_flags_without_a_value() -> None:
    """The reference crashes on them."""
    options = txt2img.parse(["--prompt", "--outdir"])
    assert options.prompt == SHARED_DEFAULTS["prompt"]
    assert options.outdir == "outputs/txt2img-samples"


def test_folders_and_names(ckpt: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert txt2img.main([*ckpt, *SMALL]) == 0
    assert files() == ["grid-0000.png", *(f"samples/0000{number}.png" for number in range(6))]
    assert pixels(Path("outputs/txt2img-samples/grid-0000.png")).shape == (134, 200, 3)
    streams = capsys.readouterr()
    assert streams.out == (
        "Your samples are ready and waiting for you here: \noutputs/txt2img-samples \n \nEnjoy.\n"
    )
    assert streams.err.count("safety checker") == 1


def test_image_j_has_seed_plus_j(ckpt: list[str]) -> None:
    assert txt2img.main([*ckpt, *SMALL, "--n_iter", "2", "--n_samples", "2"]) == 0
    samples = Path("outputs/txt2img-samples/samples")
    seeds = [recipe(samples / f"{number:05}.png").seed for number in range(4)]
    assert seeds == [42, 43, 44, 45]


def test_fixed_code_starts_every_iteration_alike(ckpt: list[str]) -> None:
    flags = ["--n_iter", "2", "--n_samples", "2", "--fixed_code", "--skip_grid"]
    assert txt2img.main([*ckpt, *SMALL, *flags]) == 0
    images = [pixels(Path(f"outputs/txt2img-samples/samples/0000{n}.png")) for n in range(4)]
    assert np.array_equal(images[0], images[2])
    assert np.array_equal(images[1], images[3])
    assert not np.array_equal(images[0], images[1])


@pytest.mark.parametrize(
    ("rows", "shape"), [(2, (134, 134, 3)), (0, (68, 200, 3)), (-1, (68, 200, 3))]
)
def test_rows_of_the_grid(ckpt: list[str], rows: int, shape: tuple[int, int, int]) -> None:
    flags = ["--n_iter", "1", "--n_rows", str(rows), "--skip_save", "--ddim_steps", "1"]
    assert txt2img.main([*ckpt, *SMALL, *flags]) == 0
    assert files() == ["grid-0000.png"]
    assert pixels(Path("outputs/txt2img-samples/grid-0000.png")).shape == shape


@pytest.mark.parametrize("sampler", ["ddim", "plms", "dpm_solver"])
def test_both_files_and_both_commands_give_one_image(
    ckpt: list[str], tiny_checkpoint: TinyCheckpoint, sampler: str
) -> None:
    flag = [] if sampler == "ddim" else [f"--{sampler}"]
    common = [*SMALL, "--n_iter", "1", "--n_samples", "1", "--skip_grid", "--prompt", "a cat"]
    safetensors = ["--ckpt", str(tiny_checkpoint.safetensors), *ckpt[2:]]
    assert txt2img.main([*ckpt, *common, *flag]) == 0
    assert txt2img.main([*safetensors, *common, *flag]) == 0
    modern = ["--model", tiny_checkpoint.ckpt, "--precision", "fp32", "--steps", 4, "--seed", 42]
    rest = ["--width", 64, "--height", 64, "--sampler", sampler, "--out", "modern.png"]
    assert in_process("txt2img", "a cat", *modern, *rest).exit_code == 0
    image = pixels(Path("modern.png"))
    assert image.std() > 1, "a flat image would prove nothing"
    for number in (0, 1):
        file = Path(f"outputs/txt2img-samples/samples/0000{number}.png")
        assert np.array_equal(pixels(file), image)


def test_img2img_gives_the_modern_command_s_image(ckpt: list[str]) -> None:
    Image.effect_mandelbrot((64, 96), (-2, -1, 1, 1), 50).convert("RGB").save("start.png")
    flags = ["--init-img", "start.png", "--prompt", "a cat", "--ddim_steps", "4"]
    assert img2img.main([*ckpt, *flags, "--strength", "0.8"]) == 0
    assert files("outputs/img2img-samples") == [
        "grid-0000.png",
        "samples/00000.png",
        "samples/00001.png",
    ]
    modern = ["--model", ckpt[1], "--precision", "fp32", "--steps", 4, "--sampler", "ddim"]
    rest = ["--guidance", 5, "--width", 64, "--height", 96, "--seed", 43, "--out", "modern.png"]
    done = in_process("img2img", "start.png", "a cat", "--strength", 0.8, *modern, *rest)
    assert done.exit_code == 0, done.stderr
    second = pixels(Path("outputs/img2img-samples/samples/00001.png")).astype(int)
    assert np.abs(second - pixels(Path("modern.png"))).max() <= 1, "in a batch of two, and alone"


# What the reference gets wrong


def test_nothing_is_overwritten(ckpt: list[str]) -> None:
    """The reference counts the files that are there: after a deletion it overwrites."""
    folder = Path("outputs/txt2img-samples")
    (folder / "samples").mkdir(parents=True)
    (folder / "samples" / "00007.png").write_bytes(b"precious")
    (folder / "grid-0003.png").write_bytes(b"precious")
    (folder / "notes.txt").write_bytes(b"mine")
    for _ in range(2):
        assert txt2img.main([*ckpt, *SMALL, "--n_iter", "1", "--n_samples", "1"]) == 0
    assert files() == [
        "grid-0003.png",
        "grid-0004.png",
        "grid-0005.png",
        "notes.txt",
        "samples/00007.png",
        "samples/00008.png",
        "samples/00009.png",
    ]
    assert (folder / "samples" / "00007.png").read_bytes() == b"precious"
    assert (folder / "grid-0003.png").read_bytes() == b"precious"


def test_a_partial_last_batch(ckpt: list[str]) -> None:
    """The reference crashes where the lines of --from-file are no multiple of --n_samples."""
    Path("prompts.txt").write_text("one\ntwo\nthree\n")
    flags = ["--from-file", "prompts.txt", "--n_samples", "2", "--n_iter", "2"]
    assert txt2img.main([*ckpt, *SMALL, *flags]) == 0
    samples = Path("outputs/txt2img-samples/samples")
    made = [recipe(samples / f"{number:05}.png") for number in range(6)]
    assert [one.prompt for one in made] == ["one", "two", "three"] * 2
    assert [one.seed for one in made] == list(range(42, 48))
    assert pixels(Path("outputs/txt2img-samples/grid-0000.png")).shape == (200, 134, 3)


@pytest.mark.parametrize("flags", [["--strength", "1.0"], ["--plms"], ["--strength", "0"]])
def test_img2img_where_the_reference_crashes(ckpt: list[str], flags: list[str]) -> None:
    """Strength 1 reads past its table, and --plms raises NotImplementedError."""
    Image.effect_mandelbrot((64, 64), (-2, -1, 1, 1), 50).convert("RGB").save("start.png")
    assert img2img.main([*ckpt, "--init-img", "start.png", "--ddim_steps", "4", *flags]) == 0
    made = recipe(Path("outputs/img2img-samples/samples/00000.png"))
    assert made.sampler == ("plms" if "--plms" in flags else "ddim")


@pytest.mark.parametrize(
    ("size", "becomes"), [((70, 100), (64, 96)), ((96, 64), (96, 64)), ((1, 40), (32, 32))]
)
def test_sizes_that_are_no_multiple_of_64(
    ckpt: list[str], size: tuple[int, int], becomes: tuple[int, int]
) -> None:
    """The reference rounds down to 32, with which its U-Net then crashes."""
    Image.effect_mandelbrot(size, (-2, -1, 1, 1), 50).convert("RGB").save("start.png")
    flags = ["--init-img", "start.png", "--ddim_steps", "2", "--n_samples", "1", "--skip_grid"]
    assert img2img.main([*ckpt, *flags]) == 0
    with Image.open("outputs/img2img-samples/samples/00000.png") as image:
        assert image.size == becomes


def test_a_photograph_is_turned_upright(ckpt: list[str]) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (96, 64), "red").save("start.jpg", exif=turned)
    flags = ["--init-img", "start.jpg", "--ddim_steps", "2", "--n_samples", "1", "--skip_grid"]
    assert img2img.main([*ckpt, *flags]) == 0
    assert pixels(Path("outputs/img2img-samples/samples/00000.png")).shape == (96, 64, 3)


def test_the_device_is_a_setting(ckpt: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference calls cuda() whatever there is; here a device that is not there is named."""
    monkeypatch.setenv("DARKROOM_DEVICE", "xpu:7")
    assert txt2img.main([*ckpt, *SMALL]) == 2


def test_the_watermark_is_on_samples_and_grid_of_txt2img(
    ckpt: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--ddim_steps", "1", "--W", "256", "--H", "256", "--n_iter", "1", "--n_samples", "2"]
    assert txt2img.main([*ckpt, *flags]) == 0
    for name in ("samples/00000.png", "samples/00001.png", "grid-0000.png"):
        file = Path("outputs/txt2img-samples") / name
        assert watermark.agreement(pixels(file), b"StableDiffusionV1") > 0.75
    start = "outputs/txt2img-samples/samples/00000.png"
    flags = ["--init-img", start, "--ddim_steps", "2", "--n_samples", "1", "--skip_grid"]
    assert img2img.main([*ckpt, *flags]) == 0
    file = Path("outputs/img2img-samples/samples/00000.png")
    assert recipe(file).watermark is None
    assert watermark.agreement(pixels(file), b"StableDiffusionV1") < 0.75
    capsys.readouterr()


def test_the_watermark_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shades = np.linspace(60, 200, 512).astype(np.uint8)
    grey = np.broadcast_to(shades[:, None, None], (512, 512, 3)).copy()
    for name, image in (
        ("marked", watermark.embed(grey, b"StableDiffusionV1")),
        ("other", watermark.embed(grey, b"\xff" * 17)),
    ):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    assert watermark_script.main([str(tmp_path / "marked.png")]) == 0
    assert capsys.readouterr().out == "StableDiffusionV1\n"
    assert watermark_script.main([str(tmp_path / "other.png")]) == 0
    assert capsys.readouterr().out == "null\n"
    assert watermark_script.main(["absent.png"]) == 2
    assert "absent.png" in capsys.readouterr().err


# Refusals


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--ckpt", "absent.ckpt"],
        ["--n_iter", "0"],
        ["--n_samples", "-1"],
        ["--n_samples", "1000000000"],
        ["--n_iter", "1000000000"],
        ["--W", "500"],
        ["--config", "absent.yaml"],
        ["--from-file", "absent.txt"],
        ["--scale", "nan"],
        ["--plms", "--ddim_eta", "0.5"],
    ],
    ids=" ".join,
)
def test_refused_in_one_sentence(
    ckpt: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with_model = [] if not arguments or "--ckpt" in arguments else ckpt
    assert txt2img.main([*with_model, *SMALL, *arguments]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said[-2:]] == ["error", "hint"]
    assert not Path("outputs").exists()


def test_img2img_without_an_image(ckpt: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert img2img.main(ckpt) == 2
    assert "--init-img" in capsys.readouterr().err


def test_a_configuration_says_what_is_predicted(ckpt: list[str]) -> None:
    for text, expected in (("model:\n  params:\n    parameterization: v\n", "v"), ("", "eps")):
        Path("model.yaml").write_text(text)
        flags = ["--n_iter", "1", "--n_samples", "1", "--skip_grid", "--config", "model.yaml"]
        assert txt2img.main([*ckpt, *SMALL, *flags]) == 0
        newest = max(Path("outputs/txt2img-samples/samples").iterdir())
        assert recipe(newest).prediction == expected


@pytest.mark.parametrize(
    "command",
    [
        ["scripts/inpaint.py", "--indir", "x", "--outdir", "y"],
        ["scripts/knn2img.py"],
        ["scripts/train_searcher.py"],
        ["scripts/sample_diffusion.py", "-r", "x"],
        ["main.py", "--base", "x.yaml", "-t"],
        ["scripts/txt2img.py", "--laion400m"],
    ],
    ids=lambda command: command[0],
)
def test_other_models_are_refused(command: list[str]) -> None:
    done = shell(*command, folder=COMPVIS)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def shell(*command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """As a person types it: no path to our sources is set."""
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=folder,
        env={name: value for name, value in environment().items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("folder", ["checkout", "compvis"])
def test_the_commands_as_they_are_typed(ckpt: list[str], tmp_path: Path, folder: str) -> None:
    out = tmp_path / "out"
    script, where = "scripts/txt2img.py", COMPVIS
    if folder == "checkout":
        script, where = f"compat/compvis/{script}", COMPVIS.parents[1]
    flags = ["--prompt", "hello world", "--plms", *ckpt, "--skip_grid", "--n_samples", "1"]
    done = shell(script, *flags, *SMALL, "--outdir", str(out), folder=where)
    assert done.returncode == 0, done.stderr
    assert files(str(out)) == ["samples/00000.png", "samples/00001.png"]
    assert recipe(out / "samples" / "00000.png").prompt == "hello world"
