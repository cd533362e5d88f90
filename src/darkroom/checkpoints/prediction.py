"""Whether a model predicts the noise (eps) or the velocity (v), and who said so."""

import math
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from darkroom.checkpoints.numbers import numbers
from darkroom.checkpoints.sniff import DOWNLOAD_AGAIN
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.contracts import Family, ModelTask, Prediction
from darkroom.errors import ModelError

MAX_YAML_BYTES = 2**20

_WORDS: dict[str, Prediction] = {
    "eps": "eps",
    "epsilon": "eps",
    "v": "v",
    "v_prediction": "v",
    "velocity": "v",
}
_PLACES = {
    "diffusers.prediction_type": "the settings of the folder's scheduler",
    "modelspec.prediction_type": "the file's metadata",
}
# What all published models for a task do.
_ALWAYS: Mapping[ModelTask, tuple[Prediction, str]] = {
    "inpaint": ("eps", "every published inpainting model does"),
    "depth2img": ("eps", "every published depth model does"),
    "pix2pix": ("eps", "every published InstructPix2Pix model does"),
    "upscale": ("v", "every published x4 upscaler does"),
    "vary": ("v", "every published unCLIP model does"),
}
# The population's standard deviation of that bias, above which ComfyUI takes a model for v.
_SPREAD_OF_V = 0.09
# Configurations in CompVis/stable-diffusion, Stability-AI/stablediffusion and InstructPix2Pix.
_SHIPPED: Mapping[str, tuple[Family, int, Prediction]] = {
    "v1-inference.yaml": ("sd1", 4, "eps"),
    "v1-inpainting-inference.yaml": ("sd1", 9, "eps"),
    "v2-inference.yaml": ("sd2", 4, "eps"),
    "v2-inference-bf16.yaml": ("sd2", 4, "eps"),
    "v2-inference-fp32.yaml": ("sd2", 4, "eps"),
    "v2-inference-v.yaml": ("sd2", 4, "v"),
    "v2-inference-v-bf16.yaml": ("sd2", 4, "v"),
    "v2-inference-v-fp32.yaml": ("sd2", 4, "v"),
    "v2-inpainting-inference.yaml": ("sd2", 9, "eps"),
    "v2-midas-inference.yaml": ("sd2", 5, "eps"),
    "v2-1-stable-unclip-h-inference.yaml": ("sd2", 4, "v"),
    "v2-1-stable-unclip-l-inference.yaml": ("sd2", 4, "v"),
    "x4-upscaling.yaml": ("sd2", 7, "v"),
    "instruct-pix2pix.yaml": ("sd1", 8, "eps"),
}
_LINE = re.compile(r"( *)([\w.]+):(?:\s+(.*))?")


class PredictionError(ModelError):
    """Whether a model predicts eps or v cannot be told; whoever knows may say it."""


def prediction_of(
    header: Header,
    path: Path,
    said: Prediction | None,
    *,
    family: Family,
    task: ModelTask,
    channels: int,
    bias: TensorInfo | None,
) -> tuple[Prediction, str]:
    """The prediction type and the reason for it, a clause that a user can read.

    In this order: the user's word, a `NAME.yaml` beside a file, a folder's scheduler, the file's
    metadata, what all published models of the kind do, and of a plain Stable Diffusion 2, of which
    there are both, the weights.

    `channels`: that the U-Net takes in.  `bias`: of the norm before its last attention.
    Raises ModelError: these say what cannot be, or nothing at all.
    """
    if said is not None:
        return said, "as asked for"
    config = path.with_suffix(".yaml")
    if header.container != "folder" and config.is_file():
        return from_config(config, family=family, task=task, channels=channels, source=path.name)
    for name, place in _PLACES.items():
        if word := header.metadata.get(name):
            if word not in _WORDS:
                raise PredictionError(
                    f"{path.name} predicts {word[:40]!r}, which is not supported.",
                    "If you know better, say --prediction eps or v.",
                )
            return _WORDS[word], f"{place} say so"
    if "v_pred" in header.tensors:
        return "v", "the file is marked v_pred"
    if task == "txt2img" and family == "sd2":
        return _by_weights(header, path, bias)
    return _ALWAYS.get(task, ("eps", "every published Stable Diffusion 1 model does"))


def _by_weights(header: Header, path: Path, bias: TensorInfo | None) -> tuple[Prediction, str]:
    """Which kind of Stable Diffusion 2 it is: one tensor is read (as ComfyUI does)."""
    values = None if bias is None else numbers(header, bias)
    if values is None:
        raise PredictionError(
            f"{path.name} is a Stable Diffusion 2 model, and nothing in it tells whether it "
            "predicts eps or v.",
            "Say --prediction v if it was trained on images of 768 × 768, else eps.",
        )
    spread = statistics.pstdev(values)
    if not math.isfinite(spread):
        raise ModelError(f"{path.name} holds values that are no numbers (NaN).", DOWNLOAD_AGAIN)
    said: Prediction = "v" if spread > _SPREAD_OF_V else "eps"
    above = "above" if said == "v" else "not above"
    return said, f"its weights show it (one bias varies by {spread:.2g}, {above} {_SPREAD_OF_V})"


def from_yaml(config: Path) -> tuple[Prediction, str]:
    """What a configuration says, and the reason; nothing means eps.

    A file that does not exist but bears the name of one that the first repositories shipped is
    known by its name.  Raises ModelError: it cannot be read, or says what is not supported.
    """
    read = _read(config)
    return read.prediction, read.reason


def from_config(
    config: Path, *, family: Family, task: ModelTask, channels: int, source: str
) -> tuple[Prediction, str]:
    """As `from_yaml`, for a configuration of a model that is of this kind.

    Raises ModelError also where the configuration describes another: other text encoder, other
    channels, or not the prediction that all models for that task have.
    """
    read = _read(config)
    always = _ALWAYS.get(task, (read.prediction, ""))[0]
    kinds = {"sd1": "Stable Diffusion 1", "sd2": "Stable Diffusion 2"}
    for theirs, ours, what in (
        (read.family, family, "{} models"),
        (read.channels, channels, "a U-Net that takes {} channels"),
        (read.prediction, always, "a model that predicts {}"),
    ):
        if theirs is not None and theirs != ours:
            said, found = (what.format(kinds.get(str(one), one)) for one in (theirs, ours))
            raise PredictionError(
                f"{config.name} contradicts {source}: it is made for {said}, not for {found}.",
                "Remove it, or say --prediction eps or v if you know better.",
            )
    return read.prediction, read.reason


@dataclass(frozen=True)
class _Config:
    """What a configuration says; None where it says nothing."""

    prediction: Prediction
    reason: str
    family: Family | None
    channels: int | None


def _read(config: Path) -> _Config:
    """Only nested blocks of `key: value` are followed.

    Nothing else stands above these lines in the configurations that exist, and no library is
    needed for three of them.
    """
    if not config.exists() and config.name in _SHIPPED:
        family, takes, prediction = _SHIPPED[config.name]
        return _Config(prediction, f"{config.name} does, known by its name", family, takes)
    try:
        with config.open("rb") as file:
            text = file.read(MAX_YAML_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionError(
            f"{config.name}, the configuration of the model, cannot be read.",
            "Mend or remove it, or say --prediction eps or v.",
        ) from error
    word = _value(text, ("model", "params", "parameterization"))
    if word is not None and not re.fullmatch(r"[\w.-]+", word):
        raise PredictionError(
            f"{config.name}, the configuration of the model, is not laid out as such files are: "
            f"where model, params and parameterization are looked for stands {word[:40]!r}.",
            "Mend or remove it, or say --prediction eps or v.",
        )
    if word is not None and word not in _WORDS:
        raise PredictionError(
            f"{config.name}, the configuration of the model, says parameterization {word[:40]!r}, "
            "which is not supported.",
            "Say --prediction eps or v.",
        )
    reason = f"{config.name} {'names no other parameterization' if word is None else 'says so'}"
    encoder = _value(text, ("model", "params", "cond_stage_config", "target")) or ""
    channels = _value(text, ("model", "params", "unet_config", "params", "in_channels")) or ""
    first: Family | None = "sd1" if "CLIP" in encoder else None
    return _Config(
        _WORDS["eps" if word is None else word],
        reason,
        "sd2" if "OpenCLIP" in encoder else first,
        int(channels) if re.fullmatch(r"\d{1,3}", channels) else None,
    )


def _value(text: str, keys: tuple[str, ...]) -> str | None:
    """The scalar at `keys` in block-style YAML, or None; what is in other styles comes as it is."""
    found: list[tuple[int, str]] = []  # The open keys above this line, with their indentation.
    for line in text.splitlines():
        match = _LINE.fullmatch(re.sub(r"(^|\s)#.*", "", line).rstrip())
        if not match:
            continue
        indent = len(match[1])
        while found and found[-1][0] >= indent:
            found.pop()
        found.append((indent, match[2]))
        here = tuple(key for _, key in found)
        if here == keys or (match[3] and here == keys[: len(here)]):
            return (match[3] or "").strip("\"'")
    return None
