"""`darkroom models`: what is there, what is wrong with it, import, convert, remove."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from darkroom.checkpoints import registry
from tests.cli.conftest import Run, assert_refused, in_process
from tests.tiny import TinyCheckpoint


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, an empty models folder, and no word of other programs."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setattr(Path, "home", lambda: path)
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path / "shelf"))
    (tmp_path / "shelf").mkdir()
    return path


@pytest.fixture
def shelf(home: Path) -> Path:
    return home.parent / "shelf"


def said(*arguments: object) -> str:
    done = in_process("models", *arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def told(*arguments: object) -> Any:
    return json.loads(said(*arguments, "--json"))


def a_lora(path: Path) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_proj_in"
    safetensors.torch.save_file({f"{name}.lora_up.weight": torch.zeros(4, 2)}, path)


def test_the_list_is_a_table_with_what_is_wrong(
    shelf: Path, home: Path, tiny_checkpoint: TinyCheckpoint
) -> None:
    shutil.copy(tiny_checkpoint.safetensors, shelf / "tiny.safetensors")
    shutil.copy(tiny_checkpoint.safetensors, shelf / "twin.safetensors")
    (shelf / "page.ckpt").write_bytes(b"<html>")
    a_lora(shelf / "style.safetensors")
    registry.add("gone", home / "gone.ckpt")
    header, *lines = said("list").splitlines()
    assert header.split() == ["NAME", "FAMILY", "SIZE", "FROM"]
    column = header.index("FAMILY")
    table = [line for line in lines if line[column:].startswith("Stable Diffusion 1 ")]
    assert [line.split()[0] for line in table] == ["mini", "tiny", "twin"]
    assert "8.79 MB" in table[1] and str(shelf / "tiny.safetensors") in table[1]
    rest = "\n".join(line for line in lines if line not in table)
    assert "The same twice: twin is tiny." in rest
    assert "Not usable: page.ckpt is a web page" in rest
    assert "Not usable: style.safetensors is a LoRA" in rest
    assert f"Gone: gone was imported from {home / 'gone.ckpt'}" in rest
    listed = told("list")
    assert [model["name"] for model in listed["models"]] == ["mini", "mini-x4", "tiny", "twin"]
    assert listed["models"][3]["same_as"] == "tiny"
    assert {model["name"] for model in listed["unusable"]} == {"page", "style"}
    assert listed["gone"] == {"gone": str(home / "gone.ckpt")}


def test_a_damaged_list_of_imports_is_said(shelf: Path) -> None:
    registry.file().write_bytes(b"{")
    assert "imported.json, cannot be understood" in said("list")
    assert "imported.json" in told("list")["damage"]


def test_info_tells_every_fact_and_its_reason(
    averaged_checkpoint: Path, shelf: Path, tmp_path: Path
) -> None:
    text = said("info", averaged_checkpoint)
    for part in (
        "Stored as:  safetensors, ",
        "fp16 (",
        "Family:     Stable Diffusion 1, 4 million parameters",
        "Known by:   CLIP's text encoder (layers: 1, width 64), a U-Net that takes 4 channels",
        "Predicts:   eps: every published Stable Diffusion 1 model does",
        "EMA:        it holds averaged weights as well; --ema uses them",
        "Licence:    not said in the file",
    ):
        assert part in text
    facts = told("info", averaged_checkpoint)
    assert f"SHA-256:    {facts['sha256']}" in text
    assert f"Short hash: {facts['autov2']} (A1111, AutoV2), {facts['autov1']} (A1111 in" in text
    assert facts["sha256"].startswith(facts["autov2"]) and len(facts["autov2"]) == 10
    assert facts["usable"] and facts["reason"] is None
    assert facts["precisions"].keys() == {"fp16"}


def test_a_small_model_s_words(shelf: Path) -> None:
    words = said("info", "mini", "--words").splitlines()
    assert "hamster" in words and "background" in words
    assert f"Knows:      {len(words)} words; --words lists them" in said("info", "mini")


def test_a_model_that_takes_any_words(tiny_checkpoint: TinyCheckpoint, shelf: Path) -> None:
    done = in_process("models", "info", tiny_checkpoint.ckpt, "--words")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "takes any" in done.stderr


def test_info_says_what_a_file_is_that_is_no_model(tmp_path: Path, shelf: Path) -> None:
    a_lora(tmp_path / "style.safetensors")
    done = in_process("models", "info", tmp_path / "style.safetensors")
    assert done.exit_code == 2
    assert "Stored as:  safetensors, 1 tensors, fp32 (32 bytes)" in done.stdout
    assert "error: style.safetensors is a LoRA" in done.stderr
    done = in_process("models", "info", tmp_path / "style.safetensors", "--json")
    facts = json.loads(done.stdout)
    assert not facts["usable"] and "a LoRA" in facts["reason"]
    assert done.exit_code == 2
    assert_refused(in_process("models", "info", "absent"), 2)


def test_other_programs_models_are_shown_then_imported(
    home: Path, shelf: Path, tiny_checkpoint: TinyCheckpoint
) -> None:
    place = home / "ComfyUI/models/checkpoints"
    place.mkdir(parents=True)
    shutil.copy(tiny_checkpoint.ckpt, place / "dream.ckpt")
    a_lora(place / "style.safetensors")
    done = in_process("models", "import")
    assert f"ComfyUI: {place / 'dream.ckpt'}" in done.stdout and "style" not in done.stdout
    assert "1 more are none that Darkroom runs" in done.stderr
    assert "darkroom models import --all" in done.stderr
    assert list(shelf.iterdir()) == []
    assert said("import", "--all").splitlines()[1].split()[0] == "dream"
    assert [entry.name for entry in shelf.iterdir()] == ["imported.json"]
    assert str(place / "dream.ckpt") in said("info", "dream")
    again = in_process("models", "import")
    assert "(here as dream)" in again.stdout and "--all" not in again.stderr
    found = told("import")["found"]
    assert {(model["name"], model["program"]) for model in found} == {
        ("dream", "ComfyUI"),
        (None, "ComfyUI"),
    }


def test_a_folder_with_a_number_is_called_as_what_it_was_made_from(
    home: Path, shelf: Path, tiny_checkpoint: TinyCheckpoint
) -> None:
    number = "0f9e3c5c-1111-4222-8333-444455556666"
    path = home / "invokeai/models" / number
    path.parent.mkdir(parents=True)
    said("convert", tiny_checkpoint.safetensors, path, "--quiet")
    assert told("import", "--all")["found"][0]["name"] == number
    said("remove", number, "--yes")
    index = json.loads((path / "model_index.json").read_text())
    index["_name_or_path"] = "someone/dream-v1.5"
    (path / "model_index.json").write_text(json.dumps(index))
    assert told("import", "--all")["found"][0]["name"] == "dream-v1.5"
    assert said("import").splitlines()[1].startswith("dream-v1.5 ")


def test_nothing_found_says_how_to_go_on(home: Path) -> None:
    done = in_process("models", "import")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "darkroom models import PATH" in done.stderr


def test_a_place_is_imported_under_a_name(
    home: Path, shelf: Path, tiny_checkpoint: TinyCheckpoint
) -> None:
    path = home / "a.ckpt"
    shutil.copy(tiny_checkpoint.ckpt, path)
    assert told("import", path, "--name", "dream")["found"][0]["name"] == "dream"
    assert registry.read() == {"dream": path}
    shutil.copy(tiny_checkpoint.safetensors, home / "b.safetensors")
    assert "--name names one model" in assert_refused(
        in_process("models", "import", home, "--name", "x"), 2
    )
    said("import", home)
    assert registry.read() == {"dream": path, "b": home / "b.safetensors"}
    refused = assert_refused(in_process("models", "import", path, "--name", "other"), 2)
    assert "has the name dream here already" in refused
    assert told("import", path, "--name", "dream")["found"][0]["name"] == "dream"


def test_places_without_a_model_are_refused(home: Path, shelf: Path) -> None:
    (home / "page.ckpt").write_bytes(b"<html>")
    assert "web page" in assert_refused(in_process("models", "import", home / "page.ckpt"), 2)
    (home / "other.ckpt").write_bytes(b"<html>")
    for place, why in ((home, "no model that Darkroom can use"), (home / "absent", "There is no")):
        assert why in assert_refused(in_process("models", "import", place), 2)
    assert list(shelf.iterdir()) == []


def test_only_the_imported_are_forgotten_and_nothing_is_deleted(
    home: Path, shelf: Path, tiny_checkpoint: TinyCheckpoint
) -> None:
    path = home / "dream.ckpt"
    shutil.copy(tiny_checkpoint.ckpt, path)
    shutil.copy(tiny_checkpoint.ckpt, shelf / "own.ckpt")
    registry.add("dream", path)
    assert "Say --yes" in assert_refused(in_process("models", "remove", "dream"), 2)
    refusals = {"own": "it lies at", "mini": "is a part of Darkroom", "absent": "was imported"}
    for name, why in refusals.items():
        assert why in assert_refused(in_process("models", "remove", name, "--yes"), 2)
    done = in_process("models", "remove", "dream", "--yes")
    assert done.exit_code == 0 and "was not touched" in done.stderr
    assert path.exists() and (shelf / "own.ckpt").exists()
    assert registry.read() == {}


def test_an_imported_file_that_vanished_is_said_and_can_be_forgotten(home: Path) -> None:
    registry.add("gone", home / "gone.ckpt")
    text = assert_refused(in_process("models", "info", "gone"), 2)
    assert "not there any more" in text and "darkroom models remove gone" in text
    assert in_process("models", "remove", "gone", "--yes").exit_code == 0
    assert registry.read() == {}


def test_convert_and_use_the_folder(run: Run, tiny_checkpoint: TinyCheckpoint) -> None:
    folder = Path("folder").absolute()
    done = run("models", "convert", tiny_checkpoint.safetensors, folder)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{folder}\n"
    for out, model in (("a.png", folder), ("b.png", tiny_checkpoint.safetensors)):
        made = run("txt2img", "a cat", "--seed", "1", "--out", out, "--model", model)
        assert made.exit_code == 0, made.stderr
    from PIL import Image, ImageChops

    with Image.open("a.png") as one, Image.open("b.png") as other:
        assert ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getbbox() is None


def test_what_cannot_be_converted_is_refused(
    run: Run, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"precious")
    source = tiny_checkpoint.safetensors
    for target, flags, code, says in (
        (taken, [], 1, "is there already"),
        ("a.ckpt", [], 2, "writes no .ckpt files"),
        ("a.safetensors", ["--ema"], 2, "no averaged weights"),
        ("a.safetensors", ["--ema", "--keep-ema"], 2, "exclude each other"),
        ("a.safetensors", ["--precision", "int8"], 2, "--precision"),
    ):
        done = run("models", "convert", source, target, *flags)
        assert says in assert_refused(done, code)
    assert taken.read_bytes() == b"precious"
    assert list(Path().iterdir()) == []


def test_names_have_no_power_over_the_terminal(
    shelf: Path, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    state = safetensors.torch.load_file(tiny_checkpoint.safetensors)
    metadata = {"modelspec.title": "\x1b[31mred", "modelspec.license": "\x07bell"}
    safetensors.torch.save_file(state, tmp_path / "a.safetensors", metadata=metadata)
    text = said("info", tmp_path / "a.safetensors")
    assert "\x1b" not in text and "\x07" not in text
    assert r"\x1b[31mred" in text
    shutil.copy(tiny_checkpoint.ckpt, shelf / "a\x1b[31m.ckpt")
    for command in (["list"], ["import", shelf], ["info", shelf / "a\x1b[31m.ckpt"]):
        assert "\x1b" not in said(*command)
