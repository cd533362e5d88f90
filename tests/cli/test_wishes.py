"""Flags become Requests in one place: equal wishes, equal Requests."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.cli import wishes
from darkroom.cli.flags import Flags
from darkroom.contracts import Request
from darkroom.errors import DarkroomError, RequestError
from darkroom.server.wishing import completed


def test_nothing_said_is_nothing_asked() -> None:
    assert wishes.requests(Flags(), prompt="a cat") == (Request(prompt="a cat"),)


def test_what_enlarges_is_another_model(tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    Image.new("RGB", (8, 8)).save(small)

    def named(**flags: Any) -> str:
        wanted = wishes.requests(Flags(**flags), prompt=None, task="upscale", image=small)
        return wanted[0].model

    assert named() == "mini-x4"
    assert named(model="dream") == "dream"
    completed_here = completed({"task": "upscale", "image": small.read_bytes()})
    assert completed_here.model == "mini-x4"
    assert completed({"prompt": "x"}).model == "mini"


def test_auto_is_the_same_as_not_said() -> None:
    automatic = Flags(device="auto", precision="auto", prediction="auto")
    assert wishes.requests(automatic, prompt="") == wishes.requests(Flags(), prompt="")


def test_zero_and_empty_are_values() -> None:
    flags = Flags(guidance=0.0, eta=0.0, seed=0, steps=0, negative="", watermark=False)
    (request,) = wishes.requests(flags, prompt="")
    assert request == Request(guidance=0.0, eta=0.0, seed=0, steps=0, watermark=False)


def test_flag_environment_and_file_mean_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish: dict[str, Any] = {
        "steps": 7,
        "sampler": "ddim",
        "guidance": 3.0,
        "private": True,
        "device": "cpu",
    }
    said = wishes.requests(Flags(**wish), prompt="x")
    with monkeypatch.context() as patch:
        for name, value in wish.items():
            patch.setenv(f"DARKROOM_{name.upper()}", str(value))
        assert wishes.requests(Flags(), prompt="x") == said
    file = tmp_path / "config.toml"
    file.write_text("steps = 7\nsampler = 'ddim'\nguidance = 3\nprivate = true\ndevice = 'cpu'\n")
    monkeypatch.setenv("DARKROOM_CONFIG", str(file))
    assert wishes.requests(Flags(), prompt="x") == said


def test_seeds_go_on_counting_from_line_to_line(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a cat\n\n  \na dog\nein Bär\n", encoding="utf-8")
    flags = Flags(from_file=str(file), seed=10, count=3)
    made = wishes.requests(flags, prompt=None)
    assert [(request.prompt, request.seed) for request in made] == [
        ("a cat", 10),
        ("a dog", 13),
        ("ein Bär", 16),
    ]
    unsaid = wishes.requests(dataclasses.replace(flags, seed=None), prompt=None)
    assert {request.seed for request in unsaid} == {None}


def test_a_byte_order_mark_is_no_part_of_a_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a cat", encoding="utf-8-sig")
    monkeypatch.setattr("sys.stdin", io.StringIO("\ufeffa cat"))
    for source in (str(file), "-"):
        assert wishes.requests(Flags(from_file=source), prompt=None)[0].prompt == "a cat"


def test_a_file_that_cannot_be_read_is_told_without_jargon(tmp_path: Path) -> None:
    for file, reason in (tmp_path / "absent.txt", "No such file"), (tmp_path, "Is a directory"):
        with pytest.raises(RequestError, match=f"{file.name} cannot be read: {reason}") as refusal:
            wishes.requests(Flags(from_file=str(file)), prompt=None)
        assert "Errno" not in refusal.value.message


def test_prompts_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a cat\na dog"))
    assert len(wishes.requests(Flags(from_file="-"), prompt=None)) == 2
    for nothing in (None, io.StringIO()):
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(RequestError, match="no prompt in standard input"):
            wishes.requests(Flags(from_file="-"), prompt=None)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00a"])
def test_a_file_without_prompts_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    with pytest.raises(RequestError, match=r"prompts\.txt") as refusal:
        wishes.requests(Flags(from_file=str(file)), prompt=None)
    assert refusal.value.hint


def test_one_source_of_prompts() -> None:
    with pytest.raises(RequestError):
        wishes.requests(Flags(), prompt=None)
    with pytest.raises(RequestError):
        wishes.requests(Flags(from_file="x"), prompt="a cat")


def test_what_one_command_alone_says(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.new("RGB", (8, 8)).save(image)
    (request,) = wishes.requests(
        Flags(), task="img2img", prompt="x", image=image, strength=0.0, image_guidance=None
    )
    data = image.read_bytes()
    assert request == Request(task="img2img", prompt="x", image=data, strength=0.0)
    with pytest.raises(DarkroomError, match=r"absent\.png"):
        wishes.requests(Flags(), prompt="x", image=tmp_path / "absent.png")


@given(
    steps=st.none() | st.integers(),
    seed=st.none() | st.integers(),
    guidance=st.none() | st.floats(allow_nan=False),
    width=st.none() | st.integers(),
    count=st.integers(),
    watermark=st.none() | st.booleans(),
)
def test_what_is_said_arrives_unchanged(**said: Any) -> None:
    (request,) = wishes.requests(Flags(**said), prompt="x")
    assert {name: getattr(request, name) for name in said} == said
