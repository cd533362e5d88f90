"""Long prompts are divided as each tool divides them.

`data/prompt_chunks.json` was made once by following A1111's, ComfyUI's and compel's own code with
CLIP's tokens: for each chunk its ids, the weights in it and how many tokens have each.
"""

import collections
import json
from pathlib import Path
from typing import Any

import pytest

from darkroom.contracts import PromptSyntax
from darkroom.errors import RequestError
from darkroom.text import chunks, syntax
from darkroom.text.chunks import Chunk
from darkroom.text.parsed import Fragment, Section
from darkroom.text.tokenizer import Tokenizer

RECORDS = json.loads((Path(__file__).parent.parent / "data" / "prompt_chunks.json").read_text())


def divided(prompt: str, chosen: PromptSyntax, tokenizer: Tokenizer) -> list[Chunk]:
    ((stage,),) = (part.stages for part in syntax.parse(prompt, chosen).parts)
    (passage,) = stage.blend
    return [c for group in chunks.chunks(passage.sections, chosen, tokenizer) for c in group]


@pytest.mark.parametrize("chosen", ["a1111", "comfyui", "invokeai"])
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["prompt"][:40])
def test_as_the_tool_itself(record: Any, chosen: PromptSyntax) -> None:
    found = []
    for chunk in divided(record["prompt"], chosen, Tokenizer.clip()):
        weights = sorted(collections.Counter(token.weight for token in chunk).items())
        found.append(
            [[token.id for token in chunk], [w for w, _ in weights], [n for _, n in weights]]
        )
    assert found == record[chosen]


@pytest.mark.parametrize("chosen", ["a1111", "comfyui", "invokeai"])
@pytest.mark.parametrize("length", [3, 4, 8, 12])
def test_no_token_is_lost_or_moved_in_a_small_model(chosen: PromptSyntax, length: int) -> None:
    tokenizer = Tokenizer.clip(context_length=length)
    prompt = "a cat, (a dog and a very small horse:1.2), b. c; d"
    found = divided(prompt, chosen, tokenizer)
    assert all(len(chunk) <= length - 2 for chunk in found)
    ids = tokenizer.encode("a cat, a dog and a very small horse, b. c; d")
    if chosen == "invokeai":  # which has another way to write weights
        ids = [token.id for token in divided(prompt, chosen, Tokenizer.clip())[0]]
    assert [token.id for chunk in found for token in chunk] == ids


def test_padding_and_weights() -> None:
    tokenizer = Tokenizer.clip(context_length=6)
    (chunk,) = divided("(cat:1.5) dog", "a1111", tokenizer)
    assert chunks.padded(chunk, tokenizer) == (49406, 2368, 1929, 49407, 49407, 49407)
    assert chunks.weights(chunk, tokenizer) == (1, 1.5, 1, 1, 1, 1)
    assert chunks.padded((), tokenizer) == tokenizer.chunk("").ids


def test_plain_text_is_cut() -> None:
    tokenizer = Tokenizer.clip(context_length=4)
    (chunk,) = divided("a cat dog", "plain", tokenizer)
    assert [tokenizer.spelt(token.id) for token in chunk] == ["a", "cat"]


def test_more_than_is_read_at_all_is_refused() -> None:
    tokenizer = Tokenizer.clip()
    most = chunks.MOST
    assert len(divided("a BREAK " * (most - 1) + "a", "a1111", tokenizer)) == most
    with pytest.raises(RequestError, match="33 times"):
        divided("a BREAK " * most + "a", "a1111", tokenizer)
    assert len(chunks.chunks([Section((Fragment("a " * 9_000),))], "plain", tokenizer)) == 1
