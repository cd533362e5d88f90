"""One table feeds flags, environment, file and folders; the nearest word wins."""

from pathlib import Path

import pytest

from darkroom import paths, settings
from darkroom.errors import RequestError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config.toml"
    monkeypatch.setenv("DARKROOM_CONFIG", str(file))
    return file


def test_the_nearest_word_wins(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read("steps") is None
    config.write_text("steps = 30\nguidance = 5\nprivate = true\n")
    assert settings.read("steps") == 30
    monkeypatch.setenv("DARKROOM_STEPS", "40")
    assert settings.read("steps") == 40
    assert settings.read("steps", 0) == 0, "zero is a value"
    assert settings.read("private") is True
    guidance = settings.read("guidance")
    assert guidance == 5.0
    assert isinstance(guidance, float)


def test_each_task_has_a_model_that_can_do_it(config: Path) -> None:
    assert settings.read_model("txt2img") == "mini"
    assert settings.read_model("upscale") == "mini-x4"
    assert settings.read_model("upscale", "mini") == "mini"
    config.write_text("model = 'dream'\n")
    assert settings.read_model("upscale") == "dream", "it was said"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("STEPS", "12", 12),
        ("GUIDANCE", "7", 7.0),
        ("PRIVATE", "yes", True),
        ("WATERMARK", "0", False),
        ("NEGATIVE", "", ""),
        ("MODEL", "7", "7"),
    ],
)
def test_the_environment_is_text(
    name: str, text: str, value: settings.Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DARKROOM_{name}", text)
    assert settings.read(name.lower()) == value


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("steps = 'many'", "steps in .* cannot be 'many'"),
        ("steps = 2.5", "steps in .* cannot be 2.5"),
        ("steps = true", "steps in .* cannot be True"),
        ("model = 3", "model in .* cannot be 3"),
        ("format = 'gif'", "format in .* cannot be 'gif'"),
        ("stepz = 3", "unknown setting: stepz"),
        ("steps = ", "cannot be read"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(config: Path, content: str, fault: str) -> None:
    config.write_text(content)
    name = content.split(" =", maxsplit=1)[0]
    with pytest.raises(RequestError, match=fault) as refusal:
        settings.read(name if name in settings.TABLE else "model")
    assert refusal.value.hint


def test_a_bad_environment_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_PRECISION", "fp8")
    with pytest.raises(RequestError, match="DARKROOM_PRECISION cannot be 'fp8'") as refusal:
        settings.read("precision")
    assert refusal.value.hint == "Set it to one of auto, fp32, bf16, fp16."


def test_a_bad_flag_is_refused_with_its_name() -> None:
    with pytest.raises(RequestError, match="--format cannot be 'gif'"):
        settings.read("format", "gif")


def test_defaults_are_of_their_type_and_among_their_choices() -> None:
    for row in settings.TABLE.values():
        assert row.default is None or type(row.default) is row.type
        assert not row.choices or row.default in {None, *row.choices}
        assert row.help.endswith(".")
        if row.default and row.type is str:
            assert f"Default: {row.default}" in row.help


def test_folders_follow_the_settings_and_are_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path / "models"))
    monkeypatch.setenv("DARKROOM_CACHE_FOLDER", "~/cache")
    assert paths.models_folder() == tmp_path / "models"
    assert paths.cache_folder() == Path.home() / "cache"
    assert list(tmp_path.iterdir()) == []


def test_images_go_among_the_pictures_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = tmp_path / "Pictures"
    monkeypatch.setattr("platformdirs.user_pictures_path", lambda: pictures)
    assert paths.output_folder() == Path("outputs")
    pictures.mkdir()
    assert paths.output_folder() == pictures / "darkroom"
    assert list(pictures.iterdir()) == []
