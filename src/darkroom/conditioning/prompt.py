"""From words to the embeddings that steer the U-Net."""

import bisect
from collections.abc import Callable

import torch
from torch import Tensor

from darkroom.conditioning.passages import Reader, Remembered
from darkroom.contracts import ModelSpec, PromptSyntax
from darkroom.diffusion.guidance import Conditions, Follow, Part
from darkroom.errors import RequestError
from darkroom.models.text_encoder import TextEncoder
from darkroom.text import syntax as syntaxes
from darkroom.text.remarks import remarks
from darkroom.text.tokenizer import Tokenizer, tokenizer_of

__all__ = ["embed", "read", "remarks", "tokenizer_of"]


def embed(prompt: str, tokenizer: Tokenizer, text_encoder: TextEncoder) -> Tensor:
    """The prompt's embedding [1, T, W], on the text encoder's device and in its precision.

    Words beyond the context length take no part; `remarks` names them.
    """
    device = text_encoder.position_embedding.weight.device
    ids = torch.tensor([tokenizer.chunk(prompt).ids], dtype=torch.int64, device=device)
    out: Tensor = text_encoder(ids)
    return out


def read(
    prompt: str,
    negative: str,
    *,
    syntax: PromptSyntax,
    clip_skip: int,
    spec: ModelSpec,
    tokenizer: Tokenizer,
    text_encoder: TextEncoder,
    levels: Tensor,
    remembered: Remembered,
    steps: int | None = None,
    earlier: int = 0,
) -> Follow:
    """What both prompts ask of the U-Net at each noise level: `conditions(sigma)`.

    `levels` [n + 1]: the sigmas that the sampler will visit, from the highest to the last.  Sigma
    belongs to step i where levels[i] >= sigma > levels[i + 1]; nothing else is remembered, so
    that a step may be repeated.  `steps`: what fractions in a schedule are of; by default n (for
    a run that begins from an image A1111 counts the steps asked for, and from 0 those that run).
    `earlier`: the steps of the first pass where this is the second.  `clip_skip`: 1 takes the text
    encoder's last layer.  `remembered` keeps embeddings from one prompt to the next.

    Raises:
        RequestError: a weight that no model can follow, more text than is read at all, or more
            layers to be skipped than there are.
    """
    layers = spec.text_encoder.layers
    if not 1 <= clip_skip <= layers:
        raise RequestError(
            f"Clip skip cannot be {clip_skip}: the text encoder has {layers} layers.",
            "1 takes the last layer, 2 the one before.",
        )
    count = len(levels) - 1 if steps is None else steps
    reader = Reader(tokenizer, text_encoder, syntax, clip_skip, remembered)
    wished = syntaxes.parse(prompt, syntax, steps=count, earlier=earlier)
    unwished = syntaxes.parse(negative, syntax, steps=count, earlier=earlier, negative=True)
    wanted = [(part, reader.stages(part)) for part in wished.parts]
    [(never, stages)] = [(part, reader.stages(part)) for part in unwished.parts]
    step_of = _steps(levels)

    def conditions(sigma: Tensor) -> Conditions:
        step = step_of(sigma)
        contexts = _levelled([contexts[part.at(step)] for part, contexts in wanted])
        parts = (
            Part(context, part.weight) for context, (part, _) in zip(contexts, wanted, strict=True)
        )
        return Conditions(tuple(parts), stages[never.at(step)])

    return conditions


def _steps(levels: Tensor) -> Callable[[Tensor], int]:
    """Which step a sigma belongs to, counted from 0.  Rounding to float32 moves none."""
    rising = [-float(level) for level in levels]

    def step(sigma: Tensor) -> int:
        at_least = bisect.bisect_right(rising, -float(sigma) * (1 - 1e-6))
        return min(max(at_least - 1, 0), max(len(rising) - 2, 0))

    return step


def _levelled(contexts: list[Tensor]) -> list[Tensor]:
    """Contexts made equally long by repeating their last embedding, as A1111 joins them."""
    lengths = {context.shape[1] for context in contexts}
    if len(lengths) == 1:
        return contexts
    length = max(lengths)
    return [torch.cat([c, c[:, -1:].expand(-1, length - c.shape[1], -1)], dim=1) for c in contexts]
