"""The text encoder at work on what a prompt was read into."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import torch
from torch import Tensor

from darkroom.conditioning import emphasis
from darkroom.contracts import PromptSyntax
from darkroom.models.text_encoder import TextEncoder
from darkroom.text import chunks
from darkroom.text.chunks import Chunk
from darkroom.text.parsed import Part, Passage, Section, Stage
from darkroom.text.tokenizer import Tokenizer

Remembered = dict[tuple[object, ...], Tensor]
"""Embeddings of chunks [T, W], by ids, hidden places and layer."""

_MOST = 64  # remembered embeddings, at most 0.25 MB each


@dataclass(frozen=True)
class Reader:
    """Reads the prompts of one request with one model."""

    tokenizer: Tokenizer
    text_encoder: TextEncoder
    syntax: PromptSyntax
    clip_skip: int
    remembered: Remembered = field(repr=False)

    def stages(self, part: Part) -> list[Tensor]:
        """The embedding of each stage, [1, chunks · T, W], in the text encoder's precision."""
        if self.syntax == "a1111":
            found = self._with_one_mean(part.stages)
        else:
            found = [self._blend(stage.blend) for stage in part.stages]
        dtype = self.text_encoder.position_embedding.weight.dtype
        return [embedding[None].to(dtype) for embedding in found]

    def _with_one_mean(self, stages: Sequence[Stage]) -> list[Tensor]:
        """A1111: the stages of a prompt pass the text encoder as one batch, chunk by chunk.

        What several stages say is encoded once, and counts as often as it is said.
        """
        texts = [
            tuple(chunk for group in self._chunks(stage.blend[0].sections) for chunk in group)
            for stage in stages
        ]
        said = Counter(texts)
        shares = torch.tensor([count / len(texts) for count in said.values()])
        columns = [
            emphasis.keep_mean(
                torch.stack([self._encode(chunk) for chunk in column]),
                torch.stack([self._weights(chunk) for chunk in column]),
                shares,
            )
            for column in zip_longest(*said, fillvalue=())
        ]
        found = dict(zip(said, torch.cat(columns, dim=1), strict=True))
        return [found[text] for text in texts]

    def _blend(self, blend: Sequence[Passage]) -> Tensor:
        found = [self._passage(passage) for passage in blend]
        if len(found) == 1 and blend[0].share == 1:
            return found[0]
        length, empty = max(len(embedding) for embedding in found), self._encode(())
        full = [torch.cat([e, *[empty] * ((length - len(e)) // len(empty))]) for e in found]
        return emphasis.blended(full, [passage.share for passage in blend])

    def _passage(self, passage: Passage) -> Tensor:
        found = []
        for section, group in zip(passage.sections, self._chunks(passage.sections), strict=True):
            for chunk in group:
                embedding = self._weighted(chunk)
                if self.syntax == "invokeai":
                    embedding = self._lessened(embedding, chunk, section)
                    weight = torch.full((len(embedding),), section.weight, device=embedding.device)
                    embedding = emphasis.from_empty(embedding, self._encode(()), weight)
                found.append(embedding)
        return torch.cat(found)

    def _weighted(self, chunk: Chunk, hidden: frozenset[int] = frozenset()) -> Tensor:
        return emphasis.from_empty(
            self._encode(chunk, hidden), self._encode(()), self._weights(chunk)
        )

    def _lessened(self, embedding: Tensor, chunk: Chunk, section: Section) -> Tensor:
        """Every fragment of a weight below 1 pulls towards the prompt that lacks it."""
        lesser = {
            place: fragment.weight
            for place, fragment in enumerate(section.fragments)
            if fragment.weight < 1 and fragment.text.strip()
        }
        without = [
            self._weighted(
                chunk,
                frozenset(1 + k for k, token in enumerate(chunk) if token.fragment == place),
            )
            for place in lesser
        ]
        return emphasis.less(embedding, without, list(lesser.values()))

    def _chunks(self, sections: Sequence[Section]) -> list[list[Chunk]]:
        return chunks.chunks(sections, self.syntax, self.tokenizer)

    def _weights(self, chunk: Chunk) -> Tensor:
        device = self.text_encoder.position_embedding.weight.device
        return torch.tensor(chunks.weights(chunk, self.tokenizer), device=device)

    def _encode(self, chunk: Chunk, hidden: frozenset[int] = frozenset()) -> Tensor:
        """The embedding [T, W] of a chunk, in float32; `hidden` places are seen by no other."""
        ids = chunks.padded(chunk, self.tokenizer)
        key = (ids, hidden, self.clip_skip)
        if key not in self.remembered:
            if len(self.remembered) >= _MOST:
                self.remembered.clear()
            device = self.text_encoder.position_embedding.weight.device
            seen = None
            if hidden:
                seen = torch.tensor([[k not in hidden for k in range(len(ids))]], device=device)
            encoded = self.text_encoder(
                torch.tensor([ids], device=device), skip=self.clip_skip, seen=seen
            )
            self.remembered[key] = encoded[0]
        return self.remembered[key].float()
