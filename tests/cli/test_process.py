"""What only a process of its own can show: streams, signals, imports, the network."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from darkroom.cli import failure
from darkroom.cli.progress import Lines, progress
from darkroom.errors import RequestError
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
        ["txt2img", "a cat", "--seed", "-1"],
        ["txt2img", "a cat", "--steps", "0"],
        ["txt2img", "a cat", "--sampler", "eulr"],
        ["txt2img", "a cat", "--sampler", "eulr", "--plan"],
        ["txt2img", "a cat", "--model", "absent"],
        ["txt2img", "--from-file", "prompts.txt"],
        ["img2img", "{image}", "a cat", "--strength", "2"],
        ["img2img", "prompts.txt", "a cat"],
    ],
    ids=" ".join,
)
def test_torch_stays_away_where_an_answer_must_be_instant(
    run: Run, tiny_checkpoint: TinyCheckpoint, arguments: list[str]
) -> None:
    assert run("txt2img", "a cat", "--out", "image.png").exit_code == 0
    Path("prompts.txt").write_bytes(b"a good one\na\0bad one")
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
    assert all(re.fullmatch(r"images? .*, step \d+ of \d+(, \d+ s left)?", line) for line in more)


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


def test_a_stop_from_outside_reports_finished_images(run: Run) -> None:
    assert run is not None
    arguments = ("txt2img", "a cat", "--count", 500, "--batch", 1, "--out", "here", "--json")
    with subprocess.Popen(
        command(*arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while len(list(Path("here").glob("*.png"))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        report, talk = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    told = {image["path"] for image in json.loads(report)["images"]}
    files = {str(file) for file in Path("here").iterdir()}
    assert told <= files
    assert len(files) - len(told) <= 1, "at most the one that was being saved is not told"
    assert "Traceback" not in talk


def test_ctrl_c_while_the_command_is_still_starting() -> None:
    interrupt = "import sys\nclass Finder:\n    def find_spec(self, name, *rest):\n"
    interrupt += "        if name == 'typer':\n            raise KeyboardInterrupt\n"
    start = "sys.meta_path.insert(0, Finder())\nfrom darkroom.__main__ import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", interrupt + start],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["models", "list", "--json"]], ids=" ".join)
def test_results_that_cannot_be_written(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*arguments),
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first == "error: The system says: No space left on device."
    assert second.startswith("hint: ")


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


def test_one_json_object_even_where_nothing_was_finished(make: Run) -> None:
    done = make("a cat", "--sampler", "no such", "--json")
    assert (done.exit_code, json.loads(done.stdout)["images"]) == (2, [])
    assert "error: There is no sampler" in done.stderr


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


def test_a_terminal_that_cannot_draw_gets_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    with progress(quiet=False) as talk:
        assert isinstance(talk, Lines)


def test_the_time_that_is_left_fits_into_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    with progress(quiet=False) as talk:
        talk.step(1, 2, "images 1 to 2 of 2, step 1 of 2")
        talk.step(2, 2, "images 1 to 2 of 2, step 2 of 2")
    assert "00:00" in terminal.getvalue()


@pytest.mark.parametrize("how", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}], ids=str)
def test_colours_only_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    for name, value in ({"NO_COLOR": "", "TERM": "xterm"} | how).items():
        monkeypatch.setenv(name, value)
    failure.tell(RequestError("Wrong.", "Do this."))
    assert ("\x1b[" in terminal.getvalue()) == (not how)
    assert "Wrong." in terminal.getvalue()


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
    clock = iter([0.0, 10.0, 12.0, 14.0, 21.0, 50.0])  # ten seconds go by while the model loads
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    lines = Lines()
    for step in (1, 2, 3, 4, 12):
        lines.step(step, 12, f"step {step}")
    assert capsys.readouterr().err == "step 1\nstep 4, 29 s left\nstep 12\n"


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
