"""What is told of a model, usable or not, and of files that hold the same."""

import hashlib
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from darkroom.checkpoints import catalog
from darkroom.checkpoints.convert import convert
from darkroom.checkpoints.facts import facts, old_hash, short_hash, twins
from tests.tiny import TinyCheckpoint


def test_of_a_model(tiny_checkpoint: TinyCheckpoint) -> None:
    found = facts(tiny_checkpoint.safetensors)
    assert (found.name, found.container, found.files) == ("tiny", "safetensors", 1)
    assert found.spec is not None and found.refusal is None
    assert found.stored_bytes == tiny_checkpoint.safetensors.stat().st_size
    assert dict(found.precisions) == {"fp16": found.spec.stored_bytes}
    assert (found.title, found.licence) == ("Tiny", None)
    assert found.tensors == len(safetensors.torch.load_file(tiny_checkpoint.safetensors))


def test_of_mini() -> None:
    found = facts(catalog.find("mini"))
    assert (found.title, found.licence) == ("Mini", "Apache-2.0")


CARDS = {
    "---\nlicense: creativeml-openrail-m\ntags:\n- a\n---\n# Title\n": "creativeml-openrail-m",
    "---\ntags: []\n---\nlicense: mit\n": None,
    "license: mit\n": None,
    "---\nlicense: two words\n---\n": None,
    "": None,
}


@pytest.mark.parametrize(("card", "licence"), CARDS.items())
def test_the_licence_of_a_folder_stands_on_its_card(
    card: str, licence: str | None, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    path = tmp_path / "folder"
    for _ in convert(tiny_checkpoint.ckpt, path):
        pass
    (path / "README.md").write_text(card)
    found = facts(path)
    assert (found.container, found.files, found.licence) == ("folder", 3, licence)


def test_of_what_is_no_model(tmp_path: Path) -> None:
    page, lora = tmp_path / "page.ckpt", tmp_path / "lora.safetensors"
    page.write_bytes(b"<html>")
    safetensors.torch.save_file({"lora_unet_x.lora_up.weight": torch.zeros(2, 2)}, lora)
    for path, container, says in ((page, None, "web page"), (lora, "safetensors", "a LoRA")):
        found = facts(path)
        assert found.spec is None and found.refusal is not None
        assert says in found.refusal.message
        assert (found.container, found.stored_bytes) == (container, path.stat().st_size)
    assert facts(tmp_path / "absent.ckpt").stored_bytes == 0


def test_short_hashes(tmp_path: Path) -> None:
    assert short_hash("6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa") == (
        "6ce0161689"
    )
    path = tmp_path / "model.ckpt"
    content = os.urandom(2**20 + 2**16 + 1000)
    path.write_bytes(content)
    expected = hashlib.sha256(content[2**20 : 2**20 + 2**16]).hexdigest()[:8]
    assert old_hash(path) == expected
    path.write_bytes(content[: 2**20])
    assert old_hash(path) is None
    assert old_hash(tmp_path) is None


def test_files_that_hold_the_same(tmp_path: Path) -> None:
    content = os.urandom(400_000)
    last = content[:-1] + bytes([content[-1] ^ 1])
    files = {"a": content, "b": content, "c": last, "d": content[:-1], "e": content, "f": b""}
    paths = {name: tmp_path / name for name in files}
    for name, data in files.items():
        paths[name].write_bytes(data)
    found = twins([*paths.values(), tmp_path / "absent", tmp_path])
    assert found == {paths["b"]: paths["a"], paths["e"]: paths["a"]}
