"""What prompts say before an engine sees them: styles are added, wildcards chosen.  No torch."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from numbers import Integral

from darkroom import paths
from darkroom.contracts import Request
from darkroom.planning.resolve import MAX_COUNT
from darkroom.tasks.judging import SEEDS
from darkroom.text import styles, wildcards


def styled(request: Request, names: Sequence[str]) -> Request:
    """The request with these styles, of the user's own file or the library, in its prompts.

    Raises:
        RequestError: there is no style of a name.
    """
    if not names:
        return request
    file = paths.styles_file()
    prompt, negative = styles.apply(request.prompt, request.negative, names, file)
    return replace(request, prompt=prompt, negative=negative)


def chosen(request: Request) -> tuple[Request, ...]:
    """The request with every wildcard chosen: one for each run of images with equal prompts.

    What is chosen for an image follows from its seed, so that image k is the same alone; a seed
    is drawn where none was said.

    Raises:
        RequestError: there is no such wildcard, or one contains itself.
    """
    if not _chooses(request):
        return (request,)
    seed = secrets.randbelow(SEEDS) if request.seed is None else request.seed
    return tuple(_runs(replace(request, seed=seed), seed))


def _chooses(request: Request) -> bool:
    """Whether something is to be chosen, for images that there can be."""
    if request.prompt_syntax == "plain":
        return False
    numbers: list[object] = [request.count, 0 if request.seed is None else request.seed]
    if not all(isinstance(number, Integral) for number in numbers):
        return False
    if not 1 <= request.count <= MAX_COUNT:
        return False
    texts: list[object] = [request.prompt, request.negative]
    return any(isinstance(text, str) and ("{" in text or "__" in text) for text in texts)


def _runs(request: Request, seed: int) -> Iterator[Request]:
    folder = paths.wildcards_folder()
    varies = bool(request.variation_strength)  # then all images have one seed, and one prompt

    def texts(place: int) -> tuple[str, str]:
        own = seed if varies else seed + place
        return (
            wildcards.expand(request.prompt, seed=own, folder=folder),
            wildcards.expand(request.negative, seed=own, folder=folder),
        )

    for (prompt, negative), group in groupby(range(request.count), key=texts):
        first, *others = group
        yield replace(
            request,
            prompt=prompt,
            negative=negative,
            seed=seed if varies else seed + first,
            count=1 + len(others),
        )
