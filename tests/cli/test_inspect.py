"""What `darkroom inspect` shows of recipes, ours and those of other programs."""

import json
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.cli.conftest import Run, in_process
from tests.images.test_foreign import SAMPLES


def image(folder: Path, **texts: str) -> Path:
    chunks = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        chunks.add_itxt(key, text)
    file = folder / "theirs.png"
    Image.new("RGB", (8, 8)).save(file, pnginfo=chunks)
    return file


def test_ours_leaves_out_what_goes_without_saying(run: Run) -> None:
    run("txt2img", "a cat", "--seed", 0, "--guidance", 0, "--out", "cat.png", "--tiling", "x")
    shown = run("inspect", "cat.png").stdout.splitlines()
    assert shown[3] == "Recipe:"
    rows = dict(line[2:].split(": ", 1) for line in shown[4:])
    assert list(rows)[:3] == ["prompt", "seed", "steps"]
    assert (rows["seed"], rows["guidance"], rows["tiling"]) == ("0", "0.0", "x")
    assert rows["versions"].startswith("darkroom ")
    assert not {"negative", "strength", "hires", "noise", "clip skip", "ema"} & rows.keys()
    full = json.loads(run("inspect", "cat.png", "--json").stdout)
    assert (full["recipe"]["noise"], full["recipe"]["hires"]) == ("cpu", None)
    assert (full["exact"], full["foreign"]["tool"]) == (True, "a1111")


def test_theirs_is_shown_in_our_words_and_what_is_left_in_theirs(tmp_path: Path) -> None:
    sample = SAMPLES["two LoRAs and a skipped layer"]
    file = image(tmp_path, prompt=json.dumps(sample["texts"]["prompt"]))
    shown = in_process("inspect", file).stdout
    assert "Recipe of ComfyUI:\n  prompt: a fox\n" in shown
    assert "  clip skip: 2\n" in shown
    assert "It also says:\n" in shown
    assert "  LoRA ink.safetensors: 0.7\n" in shown
    assert "Note: The recipe tells of 512 x 640 pixels" in shown


@pytest.mark.parametrize("name", ["of SD.Next", "version 3", "of 2022"])
def test_the_program_is_named(name: str, tmp_path: Path) -> None:
    texts = SAMPLES[name]["texts"]
    file = image(
        tmp_path, **{k: t if isinstance(t, str) else json.dumps(t) for k, t in texts.items()}
    )
    named = {
        "of SD.Next": "AUTOMATIC1111 (SD.Next 0eb4a98)",
        "version 3": "InvokeAI 3.0.2",
        "of 2022": "NovelAI",
    }
    assert f"Recipe of {named[name]}:" in in_process("inspect", file).stdout


def test_no_text_has_power_over_the_terminal(tmp_path: Path) -> None:
    text = "\x1b]0;owned\x07\u202e cat\nSteps: 2, Seed: 1, Size: 8x8, \x1b[31mKey: \x9b31m"
    done = in_process("inspect", image(tmp_path, parameters=text))
    assert done.exit_code == 0
    assert not set(done.stdout) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert r"\x1b]0;owned" in done.stdout


def test_a_damaged_recipe_is_a_note_and_the_rest_is_shown(tmp_path: Path) -> None:
    done = in_process("inspect", image(tmp_path, invokeai_metadata="[" * 100_000))
    assert done.exit_code == 0
    assert "Recipe: none\nNote: The InvokeAI recipe is damaged: it is not JSON.\n" in done.stdout


def test_a_prompt_as_long_as_a_book_does_not_fill_the_terminal(tmp_path: Path) -> None:
    file = image(tmp_path, parameters="word " * 100_000)
    shown = in_process("inspect", file).stdout
    assert len(shown) < 10_000
    assert "… (499,999 characters)\n" in shown
    whole = json.loads(in_process("inspect", file, "--json").stdout)
    assert len(whole["foreign"]["prompt"]) == 499_999
