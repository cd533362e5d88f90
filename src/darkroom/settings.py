"""What a user may settle once for all: one table for flags, environment, file and docs.

A value comes from the flag, else from the environment (`DARKROOM_STEPS=30`), else from the
configuration file (`steps = 30`), else from the default here.  `None` means *not said*.
"""

import contextlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import platformdirs

from darkroom.errors import RequestError

Value = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the table.  `choices` is empty where any value of `type` may be meant."""

    name: str
    type: type[str] | type[int] | type[float] | type[bool]
    default: Value
    help: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        return "DARKROOM_" + self.name.upper()


_ROWS = (
    Setting(
        name="model",
        type=str,
        default="mini",
        help="Checkpoint to use: an installed model's name, or a file. "
        "Default: mini, which makes images, and mini-x4, which enlarges them.",
    ),
    Setting(
        name="negative",
        type=str,
        default="",
        help="What the image should not show.",
    ),
    Setting(
        name="prompt_syntax",
        type=str,
        default=None,
        choices=("a1111", "comfyui", "invokeai", "basujindal", "plain"),
        help="How prompts are read: as a1111 (the default), comfyui, invokeai or basujindal do, "
        "or plain, where every mark is text.",
    ),
    Setting(
        name="clip_skip",
        type=int,
        default=None,
        help="Layer of the text encoder that is taken, counted from the last. Default: 1.",
    ),
    Setting(
        name="steps",
        type=int,
        default=None,
        help="Denoising steps. Default: the model's own, else 20.",
    ),
    Setting(
        name="sampler",
        type=str,
        default=None,
        help="Sampler, such as ddim, euler, dpmpp_2m or 'DPM++ 2M Karras'.",
    ),
    Setting(
        name="schedule",
        type=str,
        default=None,
        help="Noise schedule, such as karras, normal or trailing. Default: the sampler's own.",
    ),
    Setting(
        name="guidance",
        type=float,
        default=None,
        help="How strongly the prompt pulls. 1: no guidance. Default: the model's own, else 7.5.",
    ),
    Setting(
        name="batch",
        type=int,
        default=None,
        help="Images made at once. It changes speed and memory, never an image.",
    ),
    Setting(
        name="noise",
        type=str,
        default=None,
        choices=("cpu", "nv"),
        help="Noise as torch draws it on the CPU, or on NVIDIA cards (nv), as A1111 often does. "
        "Default: cpu.",
    ),
    Setting(
        name="prediction",
        type=str,
        default="auto",
        choices=("auto", "eps", "v"),
        help="What the checkpoint predicts: noise (eps) or velocity (v). "
        "Default: auto, as its file or its configuration says.",
    ),
    Setting(
        name="precision",
        type=str,
        default="auto",
        choices=("auto", "fp32", "bf16", "fp16"),
        help="Number format of the arithmetic. Default: auto, the best for the device.",
    ),
    Setting(
        name="device",
        type=str,
        default="auto",
        help="Where to compute: cpu, cuda, cuda:1, mps or xpu. Default: auto, the fastest.",
    ),
    Setting(
        name="out",
        type=str,
        default=None,
        help="Folder for the images, or one file (NAME.png). "
        "Default: darkroom/ among your pictures.",
    ),
    Setting(
        name="format",
        type=str,
        default=None,
        choices=("png", "jpeg", "webp"),
        help="File format. Default: as --out ends, else png.",
    ),
    Setting(
        name="quality",
        type=int,
        default=None,
        help="Of JPEG and WebP, 1 to 100. Default: 95 for JPEG; WebP keeps every pixel.",
    ),
    Setting(
        name="name",
        type=str,
        default="{date}-{seed}-{counter:3}",
        help="Pattern for the names of images in a folder, such as {date}-{seed}-{prompt:40}. "
        "Default: {date}-{seed}-{counter:3}.",
    ),
    Setting(
        name="safety",
        type=str,
        default=None,
        choices=("off", "flag", "blur"),
        help="What to do with images that the safety checker finds unsafe: say it (flag), or blur "
        "them. Default: blur where a safety checker is installed, else off.",
    ),
    Setting(
        name="safety_checker",
        type=str,
        default=None,
        help="File or folder of the safety checker. Default: safety-checker among the installed "
        "models.",
    ),
    Setting(
        name="watermark",
        type=bool,
        default=None,
        help="Invisible watermark. Default: as the model's makers do.",
    ),
    Setting(
        name="private",
        type=bool,
        default=False,
        help="Leave prompt and settings out of the file. The AI mark stays.",
    ),
    Setting(
        name="models_folder",
        type=str,
        default=None,
        help="Where installed models lie.",
    ),
    Setting(
        name="models_host",
        type=str,
        default=None,
        help="Where `models pull` finds models. Default: HF_ENDPOINT, else https://huggingface.co.",
    ),
    Setting(
        name="data",
        type=str,
        default=None,
        help="Folder for the queue and the gallery of `serve`. Default: one of Darkroom's own "
        "among your data.",
    ),
    Setting(
        name="host",
        type=str,
        default="127.0.0.1",
        help="Address at which `serve` listens. Default: 127.0.0.1, this computer alone.",
    ),
    Setting(
        name="port",
        type=int,
        default=None,
        help="Port at which `serve` listens. Default: 7860, or the next one that is free.",
    ),
    Setting(
        name="idle",
        type=int,
        default=600,
        help="Seconds after which `serve` gives up the memory of unused models. Default: 600.",
    ),
    Setting(
        name="styles_file",
        type=str,
        default=None,
        help="Styles, as a table (name,prompt,negative_prompt). "
        "Default: styles.csv beside the configuration file.",
    ),
    Setting(
        name="wildcards_folder",
        type=str,
        default=None,
        help="Texts whose lines stand for __NAME__ in a prompt. "
        "Default: wildcards/ beside the configuration file.",
    ),
    Setting(
        name="cache_folder",
        type=str,
        default=None,
        help="Where facts that can be measured again are kept, such as checksums.",
    ),
)

TABLE: Mapping[str, Setting] = {row.name: row for row in _ROWS}

# What a task is done with where nobody says a model, and the usual one cannot do it.
_OTHER_MODELS = {"upscale": "mini-x4"}

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_NOUNS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def config_file() -> Path:
    """The configuration file, whether it exists or not (`DARKROOM_CONFIG` names another)."""
    if named := os.environ.get("DARKROOM_CONFIG"):
        return Path(named).expanduser()
    return platformdirs.user_config_path("darkroom", appauthor=False) / "config.toml"


def read(name: str, said: Value = None) -> Value:
    """`said` where it is not None, else what environment, file or the default say for `name`.

    Raises:
        RequestError: the value cannot be meant, or the configuration file is not TOML or
            holds an unknown name.
    """
    value = _said(TABLE[name], said)
    return TABLE[name].default if value is None else value


def read_model(task: str, said: Value = None) -> str:
    """The model for a task, as `read` finds it; the default is one that can do the task.

    Raises:
        RequestError: as `read`.
    """
    value = _said(TABLE["model"], said)
    usual = _OTHER_MODELS.get(task, TABLE["model"].default)
    return str(usual if value is None else value)


def _said(setting: Setting, said: Value) -> Value:
    """What flag, environment or file say; None where none does."""
    if said is not None:
        return _parse(setting, said, setting.flag)
    if (text := os.environ.get(setting.environment)) is not None:
        return _parse(setting, text, setting.environment)
    file = config_file()
    written = _config(file)
    if setting.name in written:
        return _parse(setting, written[setting.name], f"{setting.name} in {file}")
    return None


def _config(file: Path) -> Mapping[str, object]:
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RequestError(
            f"The configuration file {file} cannot be read: {error}.",
            "Mend it, or move it away to use the defaults.",
        ) from error
    for name in written:
        if name not in TABLE:
            raise RequestError(
                f"The configuration file {file} holds an unknown setting: {name}.",
                "Known settings: " + ", ".join(TABLE) + ".",
            )
    return written


def _parse(setting: Setting, given: object, where: str) -> Value:
    """`given` in the setting's type; TOML gives typed values, the environment gives text."""
    value = given
    if isinstance(given, str) and setting.type is not str:
        with contextlib.suppress(KeyError, ValueError):
            value = _BOOLEANS[given.lower()] if setting.type is bool else setting.type(given)
    if setting.type is float and type(value) is int:
        value = float(value)
    if type(value) is not setting.type or (setting.choices and value not in setting.choices):
        wanted = f"one of {', '.join(setting.choices)}" if setting.choices else _NOUNS[setting.type]
        raise RequestError(f"{where} cannot be {given!r}.", f"Set it to {wanted}.")
    return cast("Value", value)
