"""From words to the embedding that steers the U-Net."""

import torch
from torch import Tensor

from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError
from darkroom.models.text_encoder import TextEncoder
from darkroom.text.tokenizer import Tokenizer, unknown_words

# A remark shall stay a line.
_NAMED = 6  # unknown words that are told by name
_CUT = 400  # letters of the cut words that are told


def tokenizer_of(spec: ModelSpec) -> Tokenizer:
    """The model's own vocabulary where it brings one, else CLIP's.

    Raises:
        ModelError: the vocabulary holds more tokens than the text encoder.
    """
    length, room = spec.text_encoder.context_length, spec.text_encoder.vocabulary
    if spec.merges:
        tokenizer = Tokenizer(merges=spec.merges, context_length=length)
    else:
        tokenizer = Tokenizer.clip(context_length=length)
    if tokenizer.vocabulary > room:
        raise ModelError(
            f"{spec.name} has room for {room:,} tokens, its vocabulary has "
            f"{tokenizer.vocabulary:,}.",
            "A model with a vocabulary of its own has to bring it along in the file.",
        )
    return tokenizer


def embed(prompt: str, tokenizer: Tokenizer, text_encoder: TextEncoder) -> Tensor:
    """The prompt's embedding [1, T, W], on the text encoder's device and in its precision.

    Words beyond the context length take no part; `remarks` names them.
    """
    device = text_encoder.position_embedding.weight.device
    ids = torch.tensor([tokenizer.chunk(prompt).ids], dtype=torch.int64, device=device)
    out: Tensor = text_encoder(ids)
    return out


def remarks(prompt: str, what: str, spec: ModelSpec, tokenizer: Tokenizer) -> tuple[str, ...]:
    """What the user should know about `prompt`, one line each.

    `what` is how the prompt is called: *prompt* or *negative prompt*.  Told are the words beyond
    the limit and, for a small model, the words that it does not know and the nearest that it does.
    """
    lines = []
    if cut := tokenizer.chunk(prompt).cut:
        told = " ".join(cut.split())
        told = told if len(told) <= _CUT else told[:_CUT] + "…"
        lines.append(f"The {what} is too long for the model, which does not see: {told}")
    if spec.words and (unknown := unknown_words(prompt, frozenset(spec.words))):
        named = [f"“{word}”" + (f" (near: “{near}”)" if near else "") for word, near in unknown]
        lines.append(
            f"{spec.name} is a small demonstration and does not know "
            f"{', '.join(named[:_NAMED])}{', …' if len(named) > _NAMED else ''}. "
            "A published checkpoint does: give its file to --model."
        )
    return tuple(lines)
