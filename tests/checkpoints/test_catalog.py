"""Models by name and by path, and hashes that are remembered."""

import hashlib
import os
from pathlib import Path

import pytest

from darkroom import paths
from darkroom.checkpoints import catalog
from darkroom.errors import ModelError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path / "models"))
    monkeypatch.setenv("DARKROOM_CACHE_FOLDER", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def installed(*names: str) -> list[Path]:
    files = [paths.models_folder() / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(file.name.encode())
    return files


def test_a_path_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"x")
    assert catalog.find(file) == file
    assert catalog.find("model.bin") == Path("model.bin")
    assert catalog.find(str(tmp_path)) == tmp_path  # Its header says what is wrong with a folder.


def test_a_folder_nearby_does_not_hide_an_installed_model(tmp_path: Path) -> None:
    (dream,) = installed("dream.safetensors")
    (tmp_path / "dream").mkdir()
    assert catalog.find("dream") == dream


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "model.ckpt").write_bytes(b"x")
    assert catalog.find("~/model.ckpt") == tmp_path / "model.ckpt"


def test_names_with_and_without_suffix() -> None:
    ckpt, twin, nested = installed("sd-v1-4.ckpt", "sd-v1-4.safetensors", "more/dream.safetensors")
    installed("notes.txt", "folder.ckpt/inner.txt")
    assert catalog.find("sd-v1-4") == twin  # The safer container of two.
    assert catalog.find("sd-v1-4.ckpt") == ckpt
    assert catalog.find("dream") == nested
    named = {
        model.name: model for model in catalog.installed() if model.name not in catalog.PACKAGED
    }
    assert named.keys() == {"sd-v1-4", "sd-v1-4.ckpt", "dream"}
    assert named["sd-v1-4.ckpt"].path == ckpt
    assert named["dream"].stored_bytes == len("dream.safetensors")


def test_an_unknown_name_gets_its_neighbours_and_the_way_to_a_model() -> None:
    installed("dreamshaper.safetensors")
    with pytest.raises(ModelError, match=r"no model 'dreamshapr'\. Did you mean dreamshaper\?"):
        catalog.find("dreamshapr")
    with pytest.raises(ModelError) as caught:
        catalog.find("something else")
    assert "Did you mean" not in caught.value.message
    assert str(paths.models_folder()) in caught.value.hint


STRANGE = ["", "a" * 5000, "a\0b", "../../etc/nothing", "~nobody-at-all/x"]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_are_unknown(name: str) -> None:
    with pytest.raises(ModelError, match="There is no model"):
        catalog.find(name)


@pytest.mark.parametrize("name", catalog.PACKAGED)
def test_a_packaged_model_is_a_name_and_not_a_file_nearby(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalog, "_place", lambda name: tmp_path / f"{name}.packaged")
    with pytest.raises(ModelError, match="missing from this installation"):
        catalog.find(name)
    assert catalog.installed() == []
    packaged = tmp_path / f"{name}.packaged"
    packaged.write_bytes(b"weights")
    assert catalog.find(name) == packaged
    assert [model.name for model in catalog.installed()] == [name]


def test_asking_creates_nothing(tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    catalog.installed()
    with pytest.raises(ModelError):
        catalog.find("x")
    assert sorted(tmp_path.rglob("*")) == before


def test_hashes_are_right_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"one")
    assert catalog.sha256(file) == hashlib.sha256(b"one").hexdigest()
    other = tmp_path / "other.ckpt"
    other.write_bytes(b"two")
    assert catalog.sha256(other) == hashlib.sha256(b"two").hexdigest()

    def read_again(*_: object) -> None:
        raise AssertionError("the file was read again")

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", read_again)
        assert catalog.sha256(file) == hashlib.sha256(b"one").hexdigest()
        assert catalog.sha256(other) == hashlib.sha256(b"two").hexdigest()


def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"one")
    catalog.sha256(file)
    file.write_bytes(b"eno")
    os.utime(file, ns=(1, 1))
    assert catalog.sha256(file) == hashlib.sha256(b"eno").hexdigest()
    file.write_bytes(b"longer")
    os.utime(file, ns=(1, 1))
    assert catalog.sha256(file) == hashlib.sha256(b"longer").hexdigest()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"x": 1}', b"[" * 100_000])
def test_a_damaged_cache_costs_time_only(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"one")
    cache = paths.cache_folder() / "sha256.json"
    cache.parent.mkdir()
    cache.write_bytes(content)
    assert catalog.sha256(file) == hashlib.sha256(b"one").hexdigest()


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"one")
    paths.cache_folder().write_bytes(b"a file where the folder should be")
    assert catalog.sha256(file) == hashlib.sha256(b"one").hexdigest()


def test_a_full_disk_leaves_no_draft_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"one")

    def full(path: Path, *_: object) -> int:
        path.write_bytes(b"{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert catalog.sha256(file) == hashlib.sha256(b"one").hexdigest()
    assert list(paths.cache_folder().iterdir()) == []


def test_a_file_that_is_gone_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.ckpt cannot be read"):
        catalog.sha256(tmp_path / "gone.ckpt")
