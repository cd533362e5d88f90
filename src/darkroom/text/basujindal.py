"""basujindal's weighted prompts: `a tabby cat:0.25 white duck:0.75` blends two embeddings."""

from collections.abc import Iterator

from darkroom.text.parsed import Fragment, Passage, Prompt, Section, of_passages, shared


def parse(text: str, *, steps: int) -> Prompt:
    """Read a prompt; its shares are made to add up to 1.

    A prompt of one piece is text as it stands, with colon and number, as it is there.

    Raises:
        RequestError: the weights add up to 0.
    """
    pieces = list(_pieces(text))
    if len(pieces) < 2:
        pieces = [(text, 1.0)]
    shares = shared([weight for _, weight in pieces])
    return of_passages(
        *(
            Passage((Section((Fragment(said),)),), share)
            for (said, _), share in zip(pieces, shares, strict=True)
        ),
        steps=steps,
    )


def _pieces(text: str) -> Iterator[tuple[str, float]]:
    """Each text before a colon with the number behind it; 1 where none stands there."""
    start = 0
    while (colon := text.find(":", start)) >= 0:
        space = text.find(" ", colon)
        end = space if space >= 0 else len(text)
        try:
            weight = float(text[colon + 1 : end])
        except ValueError:
            weight = 1.0
        yield text[start:colon], weight
        start = end + 1
    if start < len(text):
        yield text[start:], 1.0
