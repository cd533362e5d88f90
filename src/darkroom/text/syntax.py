"""The five ways to read a prompt, behind one function."""

import re
from collections.abc import Mapping
from typing import Protocol

from darkroom.contracts import PromptSyntax
from darkroom.errors import RequestError
from darkroom.text import a1111, basujindal, comfyui, invokeai
from darkroom.text.parsed import Fragment, Prompt, check_weights, of_fragments

STEPS = 20  # where none are known: a prompt is shown before it is used

# Numbers for Python, words for A1111: whoever writes them means a weight.
_NO_WEIGHT = re.compile(
    r":\s*([-+]?(?:nan|inf|infinity|\d+(?:\.\d*)?e[-+]?\d+))\s*\)", re.IGNORECASE
)


def parse(
    text: str,
    syntax: PromptSyntax,
    *,
    steps: int = STEPS,
    earlier: int = 0,
    negative: bool = False,
) -> Prompt:
    """Read a prompt for a run of `steps` steps.

    Every text can be read: marks that make no sense are words.  `earlier`: the steps of the
    pass before, where this one refines its image (only `a1111` knows steps).

    Raises:
        RequestError: a weight is not a number, or so large that no model follows it, or those of
            a blend add up to 0.
    """
    if syntax == "a1111":
        if odd := _NO_WEIGHT.search(text):
            raise RequestError(
                f"“{odd[1]}” is no weight.",
                "Write a number such as 1.3, and a backslash before a bracket meant as text.",
            )
        prompt = a1111.parse(text, steps=steps, earlier=earlier, negative=negative)
    else:
        prompt = _PARSERS[syntax](text, steps=steps)
    check_weights(prompt)
    return prompt


def _plain(text: str, *, steps: int) -> Prompt:
    return of_fragments(Fragment(text), steps=steps)


class _Parser(Protocol):
    def __call__(self, text: str, *, steps: int) -> Prompt: ...


_PARSERS: Mapping[PromptSyntax, _Parser] = {
    "comfyui": comfyui.parse,
    "invokeai": invokeai.parse,
    "basujindal": basujindal.parse,
    "plain": _plain,
}
