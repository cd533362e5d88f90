"""What only a process of its own can show: streams, signals, imports, the network."""

import json
import os
import re
import signal
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from darkroom.cli.progress import Lines, progress
from darkroom.images import io
from tests.cli.conftest import Run, command, environment, in_a_shell
from tests.tiny import TinyCheckpoint


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["txt2img", "--help"],
        ["img2img", "--help"],
        ["inspect", "--help"],
        ["--version"],
        ["inspect", "{image}"],
        ["models", "list"],
        ["models", "info", "{model}"],
        ["txt2img", "a cat", "--out", "{image}"],
        ["txt2img", "a cat", "--stepz", "3"],
    ],
    ids=" ".join,
)
def test_torch_stays_away_where_an_answer_must_be_instant(
    run: Run, tiny_checkpoint: TinyCheckpoint, arguments: list[str]
) -> None:
    assert run("txt2img", "a cat", "--out", "image.png").exit_code == 0
    filled = [word.format(image="image.png", model=tiny_checkpoint.ckpt) for word in arguments]
    done = in_a_shell(*filled, after="print('torch' in sys.modules, file=sys.stderr)")
    assert done.stderr.splitlines()[-1] == "False"
    assert "Traceback" not in done.stderr


NO_NETWORK = """
def refuse(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        raise RuntimeError(f"the network was tried: {event} {arguments}")
sys.addaudithook(refuse)
"""


def test_streams_are_pure_nothing_warns_and_no_socket_is_opened(run: Run) -> None:
    assert run is not None
    done = in_a_shell("txt2img", "a cat", "--count", 2, "--json", before=NO_NETWORK)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["images"]) == 2
    first, *more = done.stderr.splitlines()
    assert first.startswith("64 x 64, seeds ")
    assert all(re.fullmatch(r"images? .*, step .* s left", line) for line in more)


def test_the_watch_on_the_network_can_see() -> None:
    attempt = "import socket\nsocket.getaddrinfo('localhost', 80)"
    assert "the network was tried" in in_a_shell("--version", before=NO_NETWORK + attempt).stderr


def test_ctrl_c_keeps_finished_images(run: Run) -> None:
    assert run is not None
    # A shell's job in the background ignores SIGINT, and its children inherit that.
    heed = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    arguments = ("txt2img", "a cat", "--count", 500, "--batch", 1, "--steps", 20, "--out", "here")
    with subprocess.Popen(
        command(*arguments, before=heed),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, talk = process.communicate(timeout=120)
    assert process.returncode == 130
    told = [first.strip(), *rest.split()]
    files = sorted(str(file) for file in Path("here").iterdir())
    assert set(told) <= set(files)
    assert len(files) < 500
    for file in files:
        assert io.read_file(Path(file)).pixels.shape == (64, 64, 3)
    assert talk.splitlines()[-1] == f"Stopped. Finished images: {len(told)} of 500."
    assert "Traceback" not in talk


def test_ctrl_c_reports_finished_images_as_json(make: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Lines.step

    def interrupt(lines: Lines, done: float, of: float, line: str) -> None:
        step(lines, done, of, line)
        if line == "image 2 of 3, step 1 of 2":
            raise KeyboardInterrupt

    monkeypatch.setattr(Lines, "step", interrupt)
    done = make("a cat", "--count", 3, "--batch", 1, "--seed", 4, "--json")
    assert done.exit_code == 130
    assert [image["seed"] for image in json.loads(done.stdout)["images"]] == [4]
    assert "Stopped. Finished images: 1 of 3." in done.stderr
    assert len(list(Path("outputs").iterdir())) == 1


def test_closed_streams(run: Run) -> None:
    assert run is not None
    done = subprocess.run(
        [
            "sh",
            "-c",
            'exec "$@" <&- >&- 2>&-',
            "sh",
            *command("txt2img", "a cat", "--out", "a.png"),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0
    assert io.read_file(Path("a.png")).pixels.shape == (64, 64, 3)


def test_a_reader_that_went_away(run: Run) -> None:
    assert run is not None
    with subprocess.Popen(
        command("txt2img", "a cat", "--out", "a.png"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        talk = process.stderr.read()
    assert process.returncode == 1
    assert "Traceback" not in talk
    assert "BrokenPipe" not in talk
    assert io.read_file(Path("a.png")).pixels.shape == (64, 64, 3)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_stdout_stays_pure(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, results = Terminal(), StringIO()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("sys.stdout", results)
    monkeypatch.setenv("TERM", "xterm-256color")
    with progress(quiet=False) as talk:
        talk.say("a line [of] talk")
        talk.step(0.5, 2, "image 1 of 2, step 3 of 6")
        talk.result("a.png")
        talk.step(1.5, 2, "image 2 of 2, step 3 of 6")
    assert results.getvalue() == "a.png\n"
    assert "a line [of] talk" in terminal.getvalue()
    assert "image 2 of 2, step 3 of 6" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()


def test_without_stderr_stdout_stays_pure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with progress(quiet=False) as talk:
        talk.say("talk")
        talk.result("a.png")
    assert capsys.readouterr().out == "a.png\n"


def test_a_log_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 10.0, 12.0, 14.0, 21.0])  # ten seconds go by while the model loads
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    lines = Lines()
    for step in (1, 2, 3, 4):
        lines.step(step, 12, f"step {step}")
    assert capsys.readouterr().err == "step 2, 20 s left\nstep 4, 29 s left\n"


def test_version(run: Run) -> None:
    assert run("--version").stdout.startswith("darkroom 0.")


def test_a_demonstration_says_so_and_shows_the_way(
    make: Run, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    import safetensors.torch

    state = safetensors.torch.load_file(tiny_checkpoint.safetensors)
    model = tmp_path / "demo.safetensors"
    metadata = {
        "modelspec.resolution": "64x64",
        "darkroom.demonstration": "true",
        "darkroom.words": "a red cat",
    }
    safetensors.torch.save_file(state, model, metadata=metadata)
    done = make("a purple cat", "--model", model)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("demo is a small demonstration. For real images") == 1
    assert "purple" in done.stderr


def test_any_file_name_is_told_byte_for_byte(
    tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    model = os.fsencode(tmp_path) + b"/caf\xe9 \xf0\x9f\x90\xb9.ckpt"
    try:
        os.link(tiny_checkpoint.ckpt, model)
    except OSError:  # macOS takes UTF-8 only
        model = model.replace(b"\xe9", b"e")
        os.link(tiny_checkpoint.ckpt, model)
    words = [os.fsencode(word) for word in command("models", "info")]
    done = subprocess.run([*words, model], env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert model in done.stdout


def test_foreign_text_has_no_power_over_the_terminal(run: Run, tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 64))
    chunks = PngInfo()
    chunks.add_text("parameters", "a \x1b[31mred\x07 cat\nSteps: 1, Sampler: x, Seed: 2")
    image.save(tmp_path / "hostile.png", pnginfo=chunks)
    shown = run("inspect", tmp_path / "hostile.png").stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert r"a \x1b[31mred\x07 cat" in shown
