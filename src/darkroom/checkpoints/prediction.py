"""Whether a model predicts the noise (eps) or the velocity (v), and who said so."""

import re
from pathlib import Path

from darkroom.checkpoints.tensors import Header
from darkroom.contracts import Prediction
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
_LINE = re.compile(r"( *)([\w.]+):(?:\s+(.*))?")


def prediction_of(header: Header, path: Path, said: Prediction | None) -> tuple[Prediction, str]:
    """The prediction type and the reason for it, a clause that a user can read.

    In this order: the user's word, a `NAME.yaml` beside a file, a folder's scheduler, the file's
    metadata, the family.
    """
    if said is not None:
        return said, "as asked for"
    config = path.with_suffix(".yaml")
    if header.container != "folder" and config.is_file():
        return from_yaml(config)
    for name, place in _PLACES.items():
        if word := header.metadata.get(name):
            if word not in _WORDS:
                raise ModelError(
                    f"{path.name} predicts {word[:40]!r}, which is not supported.",
                    "If you know better, say --prediction eps or v.",
                )
            return _WORDS[word], f"{place} say so"
    if "v_pred" in header.tensors:
        return "v", "the file is marked v_pred"
    return "eps", "every published Stable Diffusion 1 model does"


def from_yaml(config: Path) -> tuple[Prediction, str]:
    """`model.params.parameterization` of a configuration, and the reason; absent means eps.

    Only nested blocks of `key: value` are followed: nothing else stands above that line in the
    configurations that exist, and no library is needed for three lines.
    """
    try:
        with config.open("rb") as file:
            text = file.read(MAX_YAML_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{config.name}, the configuration of the model, cannot be read.",
            "Mend or remove it, or say --prediction eps or v.",
        ) from error
    word = _value(text, ("model", "params", "parameterization"))
    if word is None:
        return "eps", f"{config.name} names no other parameterization"
    if word not in _WORDS:
        raise ModelError(
            f"{config.name}, the configuration of the model, says parameterization {word[:40]!r}, "
            "which is not supported.",
            "Say --prediction eps or v.",
        )
    return _WORDS[word], f"{config.name} says so"


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
