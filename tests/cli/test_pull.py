"""`models pull`: what a person sees of it, and that Ctrl-C keeps what has come."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkroom.checkpoints import sources
from darkroom.planning import suitability
from tests.checkpoints.misbehaving import Host, drip, file, say, sha256
from tests.cli.conftest import assert_refused, command, environment, in_process
from tests.tiny import TinyCheckpoint

CONNECT, LOOK_UP = socket.socket.connect, socket.getaddrinfo


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    def connect(self: socket.socket, place: tuple[str, int]) -> None:
        assert place[0] == "127.0.0.1"
        CONNECT(self, place)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", LOOK_UP)
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path / "models"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with Host() as made:
        monkeypatch.setenv("DARKROOM_MODELS_HOST", made.url)
        yield made


def test_models_that_hints_name_can_be_pulled() -> None:
    assert set(suitability.PUBLISHED.values()) <= sources.CATALOGUE.keys()


def test_a_model_is_pulled_and_then_has_a_name(
    host: Host, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    content = tiny_checkpoint.ckpt.read_bytes()
    host.answers = [file(content, x_linked_etag=sha256(content))]
    done = in_process("models", "pull", "people/tiny/v1.ckpt", "--name", "small")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'models' / 'small.ckpt'}\n"
    talk = done.stderr.splitlines()
    assert talk[0] == f"From {host.url}/people/tiny/resolve/main/v1.ckpt"
    assert talk[-3:] == [
        "Stable Diffusion 1, txt2img, 512 x 512 pixels, eps.",
        f"SHA-256 {sha256(content)}: as published by 127.0.0.1.",
        "Use it with --model small",
    ]
    assert "\nsmall " in in_process("models", "list").stdout
    again = in_process("models", "pull", "people/tiny/v1.ckpt", "--name", "small", "--json")
    assert json.loads(again.stdout) == {
        "name": "small",
        "path": str(tmp_path / "models" / "small.ckpt"),
        "sha256": sha256(content),
        "sha256_source": "127.0.0.1",
        "fresh": False,
    }
    assert "It is there already" in again.stderr


def test_what_is_not_proven_is_said(
    host: Host, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    host.answers = [file(tiny_checkpoint.safetensors.read_bytes())]
    done = in_process("models", "pull", f"{host.url}/tiny.safetensors?key=secret")
    assert "nobody publishes a SHA-256 for it" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    quiet = in_process("models", "pull", f"{host.url}/tiny.safetensors", "--name", "b", "--quiet")
    assert quiet.stderr == ""
    assert Path(quiet.stdout.strip()).is_file()


def test_another_file_than_the_catalogue_means_is_refused(host: Host, tmp_path: Path) -> None:
    host.answers = [file(b"x" * 5000)]
    done = in_process("models", "pull", "sd-1.4")
    error = assert_refused_with_talk(done.stderr)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "another sd-1.4.ckpt than the catalogue knows: its size is 5000, not 4265380512" in error
    assert "Licence: CreativeML Open RAIL-M, https://" in done.stderr
    assert list((tmp_path / "models").iterdir()) == []


def assert_refused_with_talk(stderr: str) -> str:
    assert "Traceback" not in stderr
    assert stderr.count("error: ") == stderr.count("hint: ") == 1
    return stderr[stderr.index("error: ") :]


def test_a_host_has_no_power_over_the_terminal(host: Host) -> None:
    host.answers = [say(302, location="ftp://\x1b[31m/")]
    done = in_process("models", "pull", "a/b/c.ckpt")
    assert "\x1b" not in assert_refused_with_talk(done.stderr)


@pytest.mark.parametrize("arguments", [[], ["sd-15"], ["owner/repository"], ["a/b/readme.md"]])
def test_wishes_that_cannot_be_meant(arguments: list[str]) -> None:
    assert_refused(in_process("models", "pull", *arguments), 2)


def test_the_catalogue_is_shown() -> None:
    done = in_process("models", "pull", "--list")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1].startswith("sd-1.4 ")
    shown = json.loads(in_process("models", "pull", "--list", "--json").stdout)
    assert [model["name"] for model in shown["models"]] == list(sources.CATALOGUE)


def test_ctrl_c_keeps_what_has_come(
    host: Host, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    content = tiny_checkpoint.safetensors.read_bytes()
    head = f'HTTP/1.1 200 So\r\netag: "e"\r\ncontent-length: {len(content)}\r\n\r\n'.encode()
    host.answers = [drip([head + content[:20_000]], 30), file(content, etag='"e"')]
    part = tmp_path / "models" / ".c.safetensors.part"
    # A shell's job in the background ignores SIGINT, and its children inherit that.
    heed = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    with subprocess.Popen(
        command("models", "pull", "a/b/c.safetensors", before=heed),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None and not (part.exists() and part.stat().st_size > 0):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=120)
    assert process.returncode == 130, talk
    assert talk.splitlines()[-2:] == [
        "What has come is kept: the same command goes on from there.",
        "Stopped.",
    ]
    assert 0 < part.stat().st_size <= 20_000
    assert in_process("models", "pull", "a/b/c.safetensors").exit_code == 0
    assert host.asked[-1].headers["range"].startswith("bytes=")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["c.safetensors"]


def test_a_password_in_an_address_is_never_told(host: Host) -> None:
    done = in_process("models", "pull", "https://me:secret@127.0.0.1/x.safetensors")
    assert done.exit_code != 0
    assert "user or a password" in done.output
    assert "secret" not in done.output
