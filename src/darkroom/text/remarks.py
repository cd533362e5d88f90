"""What a user should know about how a model takes a prompt."""

from darkroom.contracts import ModelSpec, PromptSyntax
from darkroom.text import syntax as syntaxes
from darkroom.text.parsed import fragments_of
from darkroom.text.tokenizer import Tokenizer, unknown_words

# A remark shall stay a line.
_NAMED = 6  # unknown words that are told by name
_TOLD = 400  # letters of the user's own text


def remarks(
    prompt: str,
    what: str,
    spec: ModelSpec,
    tokenizer: Tokenizer,
    syntax: PromptSyntax = "plain",
) -> tuple[str, ...]:
    """What the user should know about `prompt`, one line each.

    `what` is how the prompt is called: *prompt* or *negative prompt*.  Told are marks without
    effect, the words beyond the limit and, for a small model, the words that it does not know and
    the nearest that it does.

    Raises:
        RequestError: a weight that no model can follow.
    """
    read = syntaxes.parse(prompt, syntax, negative=what == "negative prompt")
    lines = [_short(note) for note in read.notes]
    texts = [fragment.text for fragment in fragments_of(read)]
    if syntax in {"plain", "basujindal"}:  # one fragment each, in one chunk
        cut = " ".join(word for text in texts for word in tokenizer.chunk(text).cut.split())
        if cut:
            lines.append(f"The {what} is too long for the model, which does not see: {_short(cut)}")
    if spec.words and (unknown := unknown_words(" ".join(texts), frozenset(spec.words))):
        named = [f"“{word}”" + (f" (near: “{near}”)" if near else "") for word, near in unknown]
        lines.append(
            f"{spec.name} is a small demonstration and does not know "
            f"{', '.join(named[:_NAMED])}{', …' if len(named) > _NAMED else ''}. "
            "A published checkpoint does: name its file as the model."
        )
    return tuple(lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TOLD else line[:_TOLD] + "…"
