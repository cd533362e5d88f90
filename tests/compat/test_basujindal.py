"""basujindal's commands, word for word: flags, defaults, files, and the defects that are mended."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compat import optimized
from compat.basujindal.optimizedSD import optimized_img2img as img2img
from compat.basujindal.optimizedSD import optimized_txt2img as txt2img
from darkroom.contracts import Recipe, Request
from darkroom.images import inspection, io
from tests.cli.conftest import in_process
from tests.compat.test_compvis import shell
from tests.tiny import TinyCheckpoint

BASUJINDAL = Path(__file__).parents[2] / "compat" / "basujindal"
FOLDER = Path("outputs/txt2img-samples")
SMALL = ["--ddim_steps", "4", "--W", "64", "--H", "64"]
ONE = ["--n_samples", "1", "--prompt", "a cat"]


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


def files() -> list[str]:
    return sorted(f.relative_to(FOLDER).as_posix() for f in FOLDER.rglob("*") if f.is_file())


SHARED_DEFAULTS = {
    "prompt": "a painting of a virus monster playing guitar",
    "skip_grid": False,
    "skip_save": False,
    "ddim_steps": 50,
    "ddim_eta": 0.0,
    "n_iter": 1,
    "n_samples": 5,
    "n_rows": 0,
    "scale": 7.5,
    "device": "cuda",
    "from_file": None,
    "seed": None,
    "unet_bs": 1,
    "turbo": False,
    "precision": "autocast",
    "format": "png",
    "ckpt": "models/ldm/stable-diffusion-v1/model.ckpt",
}


def test_every_flag_and_its_default() -> None:
    assert vars(txt2img.parse([])) == SHARED_DEFAULTS | {
        "outdir": "outputs/txt2img-samples",
        "fixed_code": False,
        "H": 512,
        "W": 512,
        "C": 4,
        "f": 8,
        "sampler": "plms",
    }
    assert vars(img2img.parse([])) == SHARED_DEFAULTS | {
        "outdir": "outputs/img2img-samples",
        "init_img": None,
        "strength": 0.75,
        "H": None,
        "W": None,
        "sampler": "ddim",
    }


def test_folders_names_seeds_and_the_log(
    ckpt: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--prompt", "tabby cat:0.25 white duck:0.75", "--seed", "27", "--n_samples", "2"]
    assert txt2img.main([*ckpt, *SMALL, *flags]) == 0
    folder = "tabby_cat_0.25_white_duck_0.75"
    assert files() == [f"{folder}/seed_27_00000.png", f"{folder}/seed_28_00001.png"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Samples finished in 0.")
    assert said[0].endswith(f"exported to {FOLDER / folder}")
    assert said[1] == " Seeds used = 27,28"
    assert txt2img.main([*ckpt, *SMALL, *flags, "--format", "jpg"]) == 0
    assert files()[-1] == f"{folder}/seed_28_00003.jpg"
    with Path("logs/txt2img_logs.csv").open(newline="") as log:
        rows = list(csv.DictReader(log))
    assert [(row["prompt"], row["seed"], row["format"]) for row in rows] == [
        (flags[1], "27", "png"),
        (flags[1], "27", "jpg"),
    ]
    assert set(rows[0]) == set(vars(txt2img.parse([])))


def test_a_log_keeps_what_it_holds_and_costs_no_image(
    ckpt: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log = Path("logs/txt2img_logs.csv")
    log.parent.mkdir()
    log.write_text("prompt,mood\na dog,good\n")
    assert txt2img.main([*ckpt, *SMALL, *ONE]) == 0
    with log.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["prompt"], first["mood"], first["seed"]) == ("a dog", "good", "")
    assert (second["prompt"], second["mood"]) == ("a cat", "")
    log.unlink()
    log.mkdir()
    assert txt2img.main([*ckpt, *SMALL, *ONE]) == 0
    assert "is not written" in capsys.readouterr().err
    assert len(files()) == 2


def test_a_seed_that_was_not_said_is_drawn_and_told(
    ckpt: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert txt2img.main([*ckpt, *SMALL, *ONE]) == 0
    (file,) = FOLDER.rglob("*.png")
    seed = recipe(file).seed
    assert 0 <= seed <= 1_000_000
    assert capsys.readouterr().out.splitlines()[-1] == f" Seeds used = {seed}"


def test_weighted_prompts_blend(ckpt: list[str]) -> None:
    prompts = ["a cat:1 a dog:3", "a cat:0.25 a dog:0.75", "a cat:3 a dog:1", "a dog"]
    images = []
    for prompt in prompts:
        flags = ["--prompt", prompt, "--n_samples", "1", "--seed", "5"]
        assert txt2img.main([*ckpt, *SMALL, *flags]) == 0
        folder = optimized.folder_of(FOLDER, prompt)
        images.append(pixels(folder / "seed_5_00000.png").astype(int))
    same, apart = (np.abs(images[0] - images[k]).max() for k in (1, 2))
    assert same <= 1 < apart
    assert np.abs(images[0] - images[3]).max() > 1


def test_prompts_of_a_file_come_in_order_with_all_their_images(ckpt: list[str]) -> None:
    Path("prompts.txt").write_text("b cat\na dog\n")
    flags = ["--from-file", "prompts.txt", "--n_samples", "2", "--n_iter", "2", "--seed", "10"]
    assert txt2img.main([*ckpt, *SMALL, *flags]) == 0
    assert files() == [
        *("a_dog/seed_10_00000.png", "a_dog/seed_11_00001.png"),
        *("a_dog/seed_14_00002.png", "a_dog/seed_15_00003.png"),
        *("b_cat/seed_12_00000.png", "b_cat/seed_13_00001.png"),
        *("b_cat/seed_16_00002.png", "b_cat/seed_17_00003.png"),
    ]


@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        ([], {"noise": "nv", "device": "cpu", "batch": 1}),  # as the setting says
        (["--device", "cpu"], {"noise": "cpu", "device": "cpu"}),
        (["--device", "cuda:1"], {"noise": "nv", "device": "cuda:1"}),
        (["--unet_bs", "2"], {"batch": 2}),
        (["--turbo", "--unet_bs", "2"], {"batch": None}),
        (["--precision", "full"], {"precision": "fp32"}),
        (["--precision", "autocast"], {"precision": None}),
        (["--sampler", "dpm2_a"], {"sampler": "dpm_2_ancestral", "schedule": "normal"}),
        (["--sampler", "ddim", "--ddim_eta", "0.5"], {"sampler": "ddim", "eta": 0.5}),
        (["--sampler", "lms", "--ddim_eta", "0.5"], {"sampler": "lms", "eta": None}),
        (["--scale", "1", "--seed", "0"], {"guidance": 1.0, "seed": 0}),
    ],
    ids=str,
)
def test_what_the_flags_mean(
    monkeypatch: pytest.MonkeyPatch, flags: list[str], fields: dict[str, object]
) -> None:
    monkeypatch.setenv("DARKROOM_DEVICE", "cpu")
    options = txt2img.parse([*flags, *([] if "--seed" in flags else ["--seed", "1"])])
    (request,) = optimized.requests(options, optimized._wish(options))
    assert {name: getattr(request, name) for name in fields} == fields
    usual = (request.prompt_syntax, request.watermark, request.count)
    assert usual == ("basujindal", False, 5)
    assert isinstance(request, Request)


@pytest.mark.parametrize("sampler", txt2img.SAMPLERS)
def test_every_sampler_gives_the_modern_command_s_image(ckpt: list[str], sampler: str) -> None:
    """`--sampler ddim` is an AttributeError there."""
    said = [*ONE, "--seed", "3", "--sampler", sampler, "--device", "cpu"]
    assert txt2img.main([*ckpt, *SMALL, *said]) == 0
    made = recipe(FOLDER / "a_cat" / "seed_3_00000.png")
    assert made.watermark is None
    modern = ["--model", ckpt[1], "--precision", "fp32", "--steps", 4, "--seed", 3]
    modern += ["--sampler", made.sampler, "--schedule", made.schedule, "--width", 64]
    modern += ["--height", 64, "--prompt-syntax", "basujindal", "--out", "modern.png"]
    done = in_process("txt2img", "a cat", *modern)
    assert done.exit_code == 0, done.stderr
    image = pixels(Path("modern.png"))
    assert image.std() > 1, "a flat image would prove nothing"
    assert np.array_equal(pixels(FOLDER / "a_cat" / "seed_3_00000.png"), image)


@pytest.mark.parametrize(
    ("flags", "becomes"),
    [
        ([], (64, 128)),
        (["--W", "192", "--H", "64"], (192, 64)),
        (["--W", "192"], (64, 128)),  # one alone is not taken there either
        (["--W", "70", "--H", "1"], (64, 64)),
        (["--strength", "1.0"], (64, 128)),
        (["--strength", "0"], (64, 128)),
    ],
    ids=str,
)
def test_img2img(ckpt: list[str], flags: list[str], becomes: tuple[int, int]) -> None:
    """Sizes are rounded down to 64; strength 1 reads past a table there, sizes below 64 vanish."""
    Image.effect_mandelbrot((100, 130), (-2, -1, 1, 1), 50).convert("RGB").save("start.png")
    said = ["--init-img", "start.png", *ONE, "--ddim_steps", "3", "--seed", "4"]
    assert img2img.main([*ckpt, *said, *flags]) == 0
    with Image.open("outputs/img2img-samples/a_cat/seed_4_00000.png") as image:
        assert image.size == becomes
    assert Path("logs/img2img_logs.csv").exists()


@pytest.mark.parametrize(
    ("outdir", "prompt", "folder"),
    [
        ("out", "a cat: b", "out/a_cat__b"),
        ("out", "../../etc/passwd", "out/.._.._etc_passwd"),
        ("out", "..", "out/__"),
        ("out", "", "out"),
        ("out", "a" * 400, "out/" + "a" * 146),
        ("x" * 140, "a" * 400, "x" * 140 + "/" + "a" * 50),
        ("out", "ß" * 400, "out/" + "ß" * 120),
    ],
)
def test_no_prompt_leads_out_of_the_folder(outdir: str, prompt: str, folder: str) -> None:
    """There the whole path is cut, wherever that is, and a slash makes a folder."""
    assert optimized.folder_of(Path(outdir), prompt) == Path(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--ckpt", "absent.ckpt"],
        ["--n_samples", "0"],
        ["--n_iter", "1000000000"],
        ["--unet_bs", "0"],
        ["--W", "500"],
        ["--from-file", "absent.txt"],
        ["--sampler", "plms", "--ddim_eta", "0.5"],
        ["--prompt", "a cat:-1 a dog:1"],
        ["--device", "toaster"],
    ],
    ids=" ".join,
)
def test_refused_in_one_sentence(
    ckpt: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert txt2img.main([*ckpt, *SMALL, *arguments]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said[-2:]] == ["error", "hint"]
    assert not Path("outputs").exists()
    assert not Path("logs").exists()


@pytest.mark.parametrize(
    "command",
    [
        "optimizedSD/txt2img_gradio.py",
        "optimizedSD/diffusers_txt2img.py",
        "scripts/knn2img.py",
        "main.py",
    ],
)
def test_what_is_not_there_is_said(command: str) -> None:
    done = shell(command, folder=BASUJINDAL)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_the_command_as_it_is_typed(ckpt: list[str], tmp_path: Path) -> None:
    script = "optimizedSD/optimized_txt2img.py"
    flags = ["--prompt", "a cat", "--H", "64", "--W", "64", "--seed", "27", "--n_iter", "1"]
    rest = ["--n_samples", "1", "--ddim_steps", "2", "--outdir", str(tmp_path / "out"), *ckpt]
    done = shell(str(BASUJINDAL / script), *flags, *rest, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "a_cat" / "seed_27_00000.png").exists()
