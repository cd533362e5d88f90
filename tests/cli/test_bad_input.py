"""Every wish that cannot be meant: one sentence, one hint, an exit code, and nothing made."""

import errno
import io as streams
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image

from tests.cli.conftest import Run, assert_refused, in_process
from tests.tiny import TinyCheckpoint


def everything_in(folder: Path) -> set[tuple[str, bytes]]:
    return {(str(file), file.read_bytes() if file.is_file() else b"") for file in folder.rglob("*")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--width", "500"], ["500", "496", "504"]),
        (["--height", "0"], ["0"]),
        (["--steps", "0"], ["0", "1"]),
        (["--steps", "-3"], ["-3", "1"]),
        (["--steps", "1000000000"], ["1000000000"]),
        (["--guidance", "nan"], ["uidance"]),
        (["--guidance", "inf"], ["uidance"]),
        (["--seed", "-5"], ["-5"]),
        (["--seed", str(2**70)], ["eed"]),
        (["--count", "0"], ["ount"]),
        (["--batch", "0"], ["atch"]),
        (["--eta", "2", "--sampler", "ddim"], ["ta"]),
        (["--sampler", "dpmp_2m"], ["dpmp_2m", "dpmpp_2m"]),
        (["--schedule", "karas"], ["karas", "karras"]),
        (["--device", "gpu"], ["gpu", "cpu"]),
        (["--precision", "fp8"], ["fp8", "bf16"]),
        (["--prediction", "x0"], ["x0", "eps"]),
        (["--format", "gif"], ["gif", "png"]),
        (["--out", "a.gif"], ["a.gif", ".png"]),
        (["--out", "a.png", "--format", "webp"], ["a.png", "webp"]),
        (["--out", "a.png", "--count", "2"], ["a.png"]),
        (["--out", "a.png", "--grid"], ["a.png"]),
        (["--preview", "notes.txt"], ["notes.txt"]),
        (["--watermark"], ["watermark"]),
        (["--ema"], ["tiny holds no EMA copies"]),
        (["--from-file", "prompts.txt"], ["prompt"]),
        (["--model", "absent"], ["absent"]),
        (["--model", "."], ["work is a folder"]),
        (["--model", "/"], ["/ is a folder"]),
    ],
    ids=lambda value: " ".join(value[:2]),
)
def test_a_wish_that_cannot_be_meant(make: Run, arguments: list[str], said: list[str]) -> None:
    text = assert_refused(make("a cat", *arguments), 2)
    assert all(word in text for word in said), text
    assert list(Path().iterdir()) == []


def test_no_prompt(make: Run) -> None:
    assert_refused(make(), 2)


@pytest.mark.parametrize(
    "content", [b"x" * 100_000, b"a\0cat", "a \ud800 cat".encode("utf-8", "surrogatepass")]
)
def test_a_prompt_that_is_none(make: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"a good one\n" + content)
    assert_refused(make("--from-file", file), 2)
    assert list(Path().iterdir()) == [], "the good prompt waits for the bad one"


@pytest.mark.parametrize("strength", ["1.5", "-0.1", "nan"])
def test_strength(run: Run, tmp_path: Path, strength: str) -> None:
    start = tmp_path / "start.png"
    Image.new("RGB", (64, 64)).save(start)
    assert "trength" in assert_refused(run("img2img", start, "x", "--strength", strength), 2)
    assert list(Path().iterdir()) == []


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few bytes: header only."""
    data = streams.BytesIO()
    Image.new("1", (1, 1)).save(data, "PNG")
    header = struct.pack(">II", 60_000, 60_000) + bytes([1, 0, 0, 0, 0])
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return data.getvalue()[:16] + header + checksum + data.getvalue()[33:]


@pytest.mark.parametrize(
    "content",
    [b"", b"no image", b"<html>", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, bomb()],
    ids=["empty", "text", "page", "damaged", "bomb"],
)
def test_an_image_that_is_none(run: Run, tmp_path: Path, content: bytes) -> None:
    start = tmp_path / "start.png"
    start.write_bytes(content)
    for command in (["img2img", start, "x"], ["inspect", start]):
        assert "error: start.png " in assert_refused(run(*command), 2)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("command", [["img2img", "absent.png", "x"], ["inspect", "absent.png"]])
def test_an_image_that_is_not_there(run: Run, command: list[str]) -> None:
    assert "absent.png" in assert_refused(run(*command), 2)


def with_nan(tiny: TinyCheckpoint) -> bytes:
    state = safetensors.torch.load_file(tiny.safetensors)
    state["model.diffusion_model.out.2.bias"][0] = float("nan")
    return safetensors.torch.save(state, metadata={"modelspec.resolution": "64x64"})


def truncated(tiny: TinyCheckpoint) -> bytes:
    return tiny.safetensors.read_bytes()[:-1000]


def a_lora(_: TinyCheckpoint) -> bytes:
    name = "lora_unet_down_blocks_0_attentions_0_proj_in"
    return safetensors.torch.save(
        {f"{name}.lora_up.weight": torch.zeros(4, 2), f"{name}.lora_down.weight": torch.zeros(2, 4)}
    )


def with_code(_: TinyCheckpoint) -> bytes:
    program = b"\x80\x02cos\nsystem\nX\x10\x00\x00\x00touch owned.txt\x85R."
    data = streams.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", "3\n")
    return data.getvalue()


def web_page(_: TinyCheckpoint) -> bytes:
    return b"<!DOCTYPE html><html><title>Sign in</title></html>"


def git_lfs_pointer(_: TinyCheckpoint) -> bytes:
    return (
        b"version https://git-lfs.github.com/spec/v1\n"
        b"oid sha256:" + b"a" * 64 + b"\nsize 4265380512\n"
    )


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (web_page, "m.safetensors", "web page"),
        (git_lfs_pointer, "m.ckpt", "LFS"),
        (truncated, "m.safetensors", "m.safetensors"),
        (a_lora, "m.safetensors", "LoRA"),
        (with_nan, "m.safetensors", "m.safetensors"),
        (with_code, "m.ckpt", "system"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_that_is_none(
    make: Run,
    tiny_checkpoint: TinyCheckpoint,
    tmp_path: Path,
    content: Callable[[TinyCheckpoint], bytes],
    name: str,
    said: str,
) -> None:
    model = tmp_path / name
    model.write_bytes(content(tiny_checkpoint))
    text = assert_refused(make("a cat", "--model", model), 2)
    assert said in text
    assert list(Path().iterdir()) == []


def test_a_folder_that_cannot_be_written(make: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for out in (tmp_path / "file" / "sub", tmp_path / "file" / "a.png", Path("/dev/null/x")):
        assert_refused(make("a cat", "--out", out, "--model", "absent"), 1)
        assert_refused(make("a cat", "--preview", out.with_suffix(".png")), 1)
    if os.geteuid() != 0:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        assert_refused(make("a cat", "--out", closed), 1)


def test_an_existing_file(make: Run) -> None:
    Path("a.png").write_bytes(b"precious")
    text = assert_refused(make("a cat", "--out", "a.png", "--model", "absent"), 1)
    assert "--overwrite" in text
    assert Path("a.png").read_bytes() == b"precious"


def test_a_full_disk(make: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    done = make("a cat", "--out", "here")
    assert_refused(done, 1)
    assert everything_in(Path()) == {("here", b"")}


def test_misspelt_flags_and_commands_get_a_suggestion() -> None:
    for arguments, near in (["txt2img", "x", "--stepz", "3"], "--steps"), (["txt2mg"], "txt2img"):
        assert near in assert_refused(in_process(*arguments), 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["txt2img", "a", "hamster"], ["hamster", "quotes", "darkroom txt2img --help"]),
        (["txt2img", "-a hamster"], ["-a", "-- before"]),
        (["txt2img", "x", "--steps", "many"], ["--steps", "integer"]),
        (["img2img"], ["image", "darkroom img2img --help"]),
        (["inspect"], ["FILE", "darkroom inspect --help"]),
        (["models", "lst"], ["lst", "darkroom models --help"]),
        (["-v"], ["-v", "darkroom --help"]),
    ],
    ids=lambda value: " ".join(value[:3]),
)
def test_what_is_not_understood_is_told_like_every_error(
    arguments: list[str], said: list[str]
) -> None:
    text = assert_refused(in_process(*arguments), 2)
    assert len(text.splitlines()) == 2
    assert all(word in text for word in said), text


@pytest.mark.parametrize("arguments", [[], ["models"]])
def test_nothing_said_shows_the_help(arguments: list[str]) -> None:
    done = in_process(*arguments)
    assert "Usage: darkroom" in done.stdout
    assert "Example: darkroom" in done.stdout
    assert done.stderr == ""


def test_a_name_that_no_file_can_have(make: Run) -> None:
    for out in ("y" * 300, "y" * 300 + ".png"):
        assert "too long" in assert_refused(make("a cat", "--out", out), 1)


def test_a_file_where_a_folder_is_needed(make: Run) -> None:
    Path("note").write_bytes(b"precious")
    for out in ("note", "note/deeper", "note/a.png"):
        text = assert_refused(make("a cat", "--out", out, "--overwrite"), 1)
        assert "note is a file, not a folder" in text
    assert Path("note").read_bytes() == b"precious"


def test_an_unknown_fault_is_one_sentence_unless_asked(
    make: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero\nsecond line")

    monkeypatch.setattr("darkroom.cli.wishes.requests", fail)
    text = assert_refused(make("a cat"), 1)
    assert "ZeroDivisionError: division by zero" in text
    assert "--debug" in text
    debug = make("a cat", "--debug")
    assert debug.exit_code == 1
    assert "Traceback" in debug.stderr
    assert debug.stderr.count("error: ") == 1


def test_a_settings_file_that_is_none(
    make: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("stepz = 3")
    monkeypatch.setenv("DARKROOM_CONFIG", str(file))
    assert "stepz" in assert_refused(make("a cat"), 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--guidance", "0"],
        ["--guidance", "1"],
        ["--seed", "0"],
        ["--seed", str(2**63 - 1)],
        ["--width", "40", "--height", "72"],
        ["--steps", "1"],
        ["--sampler", "DPM++ 2M Karras"],
        ["--sampler", "ddim", "--eta", "1"],
        ["--no-watermark"],
        ["--device", "auto"],
    ],
    ids=" ".join,
)
def test_accepted(make: Run, arguments: list[str]) -> None:
    for prompt in ("", "a cat"):
        done = make(prompt, *arguments)
        assert done.exit_code == 0, done.stderr
        assert Path(done.stdout.strip()).is_file()


def photographs() -> dict[str, Callable[[Path], None]]:
    image = Image.effect_mandelbrot((60, 40), (-2, -1, 1, 1), 50).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "cmyk.jpg": lambda file: image.convert("CMYK").save(file),
        "16bit.png": lambda file: image.convert("I;16").save(file),
        "alpha.png": lambda file: image.convert("RGBA").save(file),
        "turned.jpg": lambda file: image.save(file, exif=turned),
        "animation.gif": lambda file: image.save(
            file, save_all=True, append_images=[image.rotate(9)]
        ),
        "one.png": lambda file: Image.new("RGB", (1, 1), "red").save(file),
        "palette.png": lambda file: image.quantize(8).save(file),
    }


@pytest.mark.parametrize("name", photographs())
def test_any_photograph_is_accepted(run: Run, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    photographs()[name](file)
    done = run("img2img", file, "a cat", "--strength", "0.5")
    assert done.exit_code == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()
