"""The five ways to read a prompt, behind one function."""

from collections.abc import Callable, Mapping

from darkroom.contracts import PromptSyntax
from darkroom.text import a1111, basujindal, comfyui
from darkroom.text.parsed import Fragment, Prompt, check_weights, of_fragments

STEPS = 20  # where none are known: a prompt is shown before it is used


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
        RequestError: a weight is not a number, or so large that no model follows it.
    """
    if syntax == "a1111":
        prompt = a1111.parse(text, steps=steps, earlier=earlier, negative=negative)
    else:
        prompt = _PARSERS[syntax](text, steps)
    check_weights(prompt)
    return prompt


def _plain(text: str, steps: int) -> Prompt:
    return of_fragments(Fragment(text), steps=steps)


_PARSERS: Mapping[PromptSyntax, Callable[[str, int], Prompt]] = {
    "comfyui": lambda text, steps: comfyui.parse(text, steps=steps),
    "basujindal": lambda text, steps: basujindal.parse(text, steps=steps),
    "plain": _plain,
}
