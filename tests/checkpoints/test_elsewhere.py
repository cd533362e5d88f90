"""Where other programs keep their models, in home folders made up for it; and the list of ours."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from darkroom import paths
from darkroom.checkpoints import catalog, elsewhere, registry
from darkroom.checkpoints.elsewhere import System
from darkroom.errors import ModelError, OutputError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path / "shelf"))
    monkeypatch.setenv("DARKROOM_CACHE_FOLDER", str(tmp_path / "cache"))
    return tmp_path / "shelf"


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())
    return path


def folder(path: Path) -> Path:
    """Something that claims to be a model in the layout of diffusers."""
    file(path / "model_index.json")
    file(path / "unet/diffusion_pytorch_model.safetensors")
    return path


def found(home: Path, kind: str = "linux", **environment: str) -> dict[Path, str]:
    system = System(environment, home, kind)
    return {found.path: found.program for found in elsewhere.find(system)}


PLACES = {
    "stable-diffusion-webui/models/Stable-diffusion/a.ckpt": "A1111",
    "stable-diffusion-webui-forge/models/Stable-diffusion/inner/a.safetensors": "A1111",
    "sd.webui/webui/models/Stable-diffusion/a.safetensors": "A1111",
    "Documents/ComfyUI/models/checkpoints/SD1/a.safetensors": "ComfyUI",
    "ComfyUI_windows_portable/ComfyUI/models/checkpoints/a.safetensors": "ComfyUI",
    "invokeai/models/sd-1/main/a.safetensors": "InvokeAI",
    "invokeai/models/0f9e3c5c-1111-4222-8333-444455556666/a.safetensors": "InvokeAI",
    "easy-diffusion/models/stable-diffusion/a.ckpt": "Easy Diffusion",
}


@pytest.mark.parametrize(("place", "program"), PLACES.items())
def test_files_are_found_where_programs_put_them(place: str, program: str, home: Path) -> None:
    assert found(home) == {}
    assert found(home / "absent") == {}
    path = file(home / place)
    file(path.with_suffix(".txt"))
    assert found(home) == {path: program}


def test_folders_are_found_as_a_whole(home: Path) -> None:
    path = folder(home / "invokeai/models/sd-1/main/dream")
    bare = folder(home / "invokeai/models/0f9e3c5c-1111-4222-8333-444455556666")
    assert found(home) == {path: "InvokeAI", bare: "InvokeAI"}


Variable = tuple[str, str, str, str]
VARIABLES: list[Variable] = [
    ("HF_HOME", "", "hub", "Hugging Face"),
    ("HF_HUB_CACHE", "", "", "Hugging Face"),
    ("HUGGINGFACE_HUB_CACHE", "", "", "Hugging Face"),
    ("XDG_CACHE_HOME", "", "huggingface/hub", "Hugging Face"),
    ("INVOKEAI_ROOT", "", "models/sd-1/main", "InvokeAI"),
    ("INVOKEAI_MODELS_DIR", "", "", "InvokeAI"),
    ("COMFYUI_PATH", "", "models/checkpoints", "ComfyUI"),
    ("SD_MODELSDIR", "", "Stable-diffusion", "A1111"),
    ("COMMANDLINE_ARGS", "--xformers --ckpt-dir ", "", "A1111"),
    ("COMMANDLINE_ARGS", "--data-dir=", "models/Stable-diffusion", "A1111"),
    ("COMMANDLINE_ARGS", "--models-dir ", "Stable-diffusion", "A1111"),
]


@pytest.mark.parametrize(("name", "before", "inside", "program"), VARIABLES)
def test_variables_name_other_places(
    name: str, before: str, inside: str, program: str, home: Path, tmp_path: Path
) -> None:
    top = tmp_path / "elsewhere"
    snapshot = "models--a--b/snapshots/1/" if program == "Hugging Face" else ""
    path = file(top / inside / snapshot / "a.safetensors")
    assert found(home, **{name: f"{before}{top}"}) == {path: program}


def test_flags_that_cannot_be_read_are_passed_over(home: Path) -> None:
    assert found(home, COMMANDLINE_ARGS='--ckpt-dir "') == {}
    assert found(home, COMMANDLINE_ARGS="--ckpt-dir") == {}


def snapshot(home: Path, repository: str, revision: str) -> Path:
    return home / ".cache/huggingface/hub" / repository / "snapshots" / revision


def test_the_hub_s_current_snapshot_is_meant(home: Path) -> None:
    blob = file(home / ".cache/huggingface/hub/models--a--dream/blobs/0123")
    old, new = (folder(snapshot(home, "models--a--dream", name)) for name in ("f0", "0f"))
    main = home / ".cache/huggingface/hub/models--a--dream/refs/main"
    assert found(home) == {old: "Hugging Face"}  # The last by name, where nothing says better.
    file(main).write_text("0f\n")
    (new / "dream.safetensors").symlink_to(blob)
    assert found(home) == {new: "Hugging Face", new / "dream.safetensors": "Hugging Face"}
    main.write_text("gone")
    assert found(home) == {old: "Hugging Face"}
    first = folder(home / ".cache/huggingface/diffusers/models--b--c/snapshots/1")
    assert found(home) == {old: "Hugging Face", first: "Hugging Face"}


def test_a_cache_that_is_none_is_passed_over(home: Path) -> None:
    file(home / ".cache/huggingface/hub/models--a--file")
    (home / ".cache/huggingface/hub/models--a--empty/snapshots").mkdir(parents=True)
    (home / ".cache/huggingface/hub/models--a--bytes/refs").mkdir(parents=True)
    (home / ".cache/huggingface/hub/models--a--bytes/refs/main").write_bytes(b"\xff\xfe\0")
    assert found(home) == {}


LIST = """# places
comfyui:
    base_path: "{base}"   # quoted
    is_default: true
    checkpoints: one/
    loras: |
        loras
    diffusers: |
        two
        {absolute}

a111:
    checkpoints: beside
other: {{flow: style}}
"""


def test_comfyui_s_lists_of_other_places_are_read(home: Path, tmp_path: Path) -> None:
    base, absolute = tmp_path / "base", tmp_path / "absolute"
    program = home / "ComfyUI"
    expected = [
        file(place / "a.safetensors")
        for place in (base / "one", base / "two", absolute, program / "beside")
    ]
    file(base / "loras/no.safetensors")
    yaml = program / "extra_model_paths.yaml"
    yaml.write_text(LIST.format(base=base, absolute=absolute))
    assert found(home) == dict.fromkeys(expected, "ComfyUI")


@pytest.mark.parametrize(
    ("base", "environment"),
    [("~/models", {}), ("$STORE/models", {}), ("${STORE}/models", {}), ("%STORE%/models", {})],
)
def test_places_in_a_list_may_be_said_in_short(
    base: str, environment: dict[str, str], home: Path
) -> None:
    path = file(home / "models/one/a.safetensors")
    yaml = file(home / ".config/ComfyUI/extra_models_config.yaml")
    yaml.write_text(f"x:\n  base_path: {base}\n  checkpoints: one\n")
    assert found(home, STORE=str(home)) == {path: "ComfyUI"}


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"",
        b"checkpoints:",
        b"- a\n- b",
        b"a:\n  checkpoints: |\n",
        b"a:\n checkpoints: \0",
    ],
)
def test_lists_that_make_no_sense_are_passed_over(content: bytes, home: Path) -> None:
    file(home / "ComfyUI/extra_model_paths.yaml").write_bytes(content)
    assert found(home) == {}


@pytest.mark.parametrize(
    ("kind", "environment", "place"),
    [
        ("win32", "APPDATA", "ComfyUI"),
        ("darwin", None, "Library/Application Support/ComfyUI"),
        ("linux", "XDG_CONFIG_HOME", "ComfyUI"),
    ],
)
def test_the_desktop_program_s_list_lies_where_the_system_says(
    kind: str, environment: str | None, place: str, home: Path
) -> None:
    path = file(home / "store/a.safetensors")
    yaml = file(home / place / "extra_models_config.yaml")
    yaml.write_text(f"x:\n  base_path: {home}\n  checkpoints: store\n")
    variables = {environment: str(home)} if environment else {}
    assert found(home, kind, **variables) == {path: "ComfyUI"}


def test_invokeai_s_own_settings_are_read(home: Path) -> None:
    path = file(home / "store/any/a.safetensors")
    yaml = file(home / "invokeai/invokeai.yaml")
    yaml.write_text(f"schema_version: 4.0.2\nmodels_dir: {home}/store  # a large disk\n")
    assert found(home) == {path: "InvokeAI"}


def test_one_model_in_two_places_is_shown_once(home: Path) -> None:
    path = file(home / "stable-diffusion-webui/models/Stable-diffusion/a.ckpt")
    link = home / "ComfyUI/models/checkpoints/a.ckpt"
    link.parent.mkdir(parents=True)
    link.symlink_to(path)
    assert list(found(home)) == [path]


def test_links_in_a_circle_end(home: Path) -> None:
    top = home / "ComfyUI/models/checkpoints"
    path = file(top / "inner/a.safetensors")
    (top / "inner/again").symlink_to(top)
    (top / "self.ckpt").symlink_to(top / "self.ckpt")
    assert list(found(home)) == [path]


def test_a_place_by_name(home: Path) -> None:
    one, other = file(home / "a.ckpt"), folder(home / "inner/dream")
    assert elsewhere.below(one) == [one]
    assert elsewhere.below(other) == [other]
    assert elsewhere.below(home) == [one, other]
    assert elsewhere.below(home / "absent") == []


# The list of imported models


def test_a_name_is_given_and_forgotten(home: Path, shelf: Path) -> None:
    path = file(home / "dream.ckpt")
    assert registry.add("dream", path) == "dream"
    assert registry.read() == {"dream": path}
    assert catalog.find("dream") == path
    (model,) = (model for model in catalog.installed() if model.name == "dream")
    assert (model.origin, model.stored_bytes) == ("imported", len("dream.ckpt"))
    assert [entry.name for entry in shelf.iterdir()] == ["imported.json"]
    assert registry.remove("dream") == path
    assert path.read_bytes() == b"dream.ckpt"
    with pytest.raises(ModelError, match="no model 'dream'"):
        catalog.find("dream")
    with pytest.raises(ModelError, match="'dream' was imported"):
        registry.remove("dream")


def test_one_place_has_one_name_and_one_name_one_place(home: Path) -> None:
    one, other, third = (file(home / name / "dream.ckpt") for name in "abc")
    assert registry.add("dream", one) == registry.add("again", one) == "dream"
    assert registry.add("dream", other) == "dream-2"
    assert registry.add("dream", third, taken=frozenset({"dream-3"})) == "dream-4"


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("Dream v1.5 (final)+", "Dream v1.5 (final)+"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\x1b[31m\nb", "a-31m-b"),
        ("...", "model"),
        ("", "model"),
        ("ü猫", "ü猫"),
        ("x" * 500, "x" * 100),
    ],
)
def test_names_are_fit_to_be_typed(name: str, fit: str, home: Path) -> None:
    assert registry.add(name, home / "a.ckpt") == fit


def test_a_relative_place_is_remembered_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(home / "dream.ckpt")
    monkeypatch.chdir(home)
    registry.add("dream", Path("dream.ckpt"))
    monkeypatch.chdir("/")
    assert catalog.find("dream") == home / "dream.ckpt"


def test_odd_file_names_are_remembered(home: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(home) + b"/caf\xe9.ckpt"))
    registry.add("odd", path)
    assert registry.read() == {"odd": path}


def test_what_vanished_is_told(home: Path) -> None:
    path = file(home / "dream.ckpt")
    registry.add("dream", path)
    path.unlink()
    assert catalog.vanished() == {"dream": path}
    assert "dream" not in {model.name for model in catalog.installed()}
    with pytest.raises(ModelError, match=r"was imported from .* not there any more") as caught:
        catalog.find("dream")
    assert "darkroom models remove dream" in caught.value.hint


def test_an_imported_name_goes_before_a_file(home: Path, shelf: Path) -> None:
    path, nearby = file(home / "dream.ckpt"), file(shelf / "dream.ckpt")
    registry.add("dream", path)
    assert catalog.find("dream") == path
    assert catalog.find("dream.ckpt") == nearby
    names = {model.name: model.path for model in catalog.installed()}
    assert names["dream"] == path and names["dream.ckpt"] == nearby


DAMAGED = [b"", b"{", b"[]", b"\xff", b'{"models": [1]}', b'{"models": {"a": 1}}', b"[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_list_is_said_and_never_overwritten(
    content: bytes, home: Path, shelf: Path
) -> None:
    nearby = file(shelf / "other.ckpt")
    registry.file().write_bytes(content)
    for touch in TOUCHES:
        with pytest.raises(ModelError, match=r"imported\.json, cannot be understood"):
            touch(home / "a.ckpt")
    assert registry.file().read_bytes() == content
    assert catalog.find("other") == nearby  # The others can be used all the same.
    assert catalog.vanished() == {}


TOUCHES: list[Callable[[Path], object]] = [
    lambda _: registry.read(),
    lambda path: registry.add("a", path),
    lambda _: registry.remove("a"),
]


def test_a_full_disk_loses_no_name(
    home: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add("first", home / "first.ckpt")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OutputError, match="No space left on device"):
            registry.add("second", home / "second.ckpt")
    assert list(registry.read()) == ["first"]
    assert [entry.name for entry in shelf.iterdir()] == ["imported.json"]


def test_the_list_is_text_that_a_person_can_mend(home: Path) -> None:
    registry.add("dream", home / "dream.ckpt")
    assert registry.file() == paths.models_folder() / "imported.json"
    assert json.loads(registry.file().read_text()) == {
        "version": 1,
        "models": {"dream": str(home / "dream.ckpt")},
    }
