"""What prompts ask of the U-Net at each step, and how weights act, tool by tool."""

import dataclasses
import functools
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from darkroom.conditioning import prompt
from darkroom.contracts import PromptSyntax, TextEncoderConfig
from darkroom.diffusion.guidance import Conditions, Follow
from darkroom.errors import RequestError
from darkroom.models.text_encoder import TextEncoder
from darkroom.text.tokenizer import Tokenizer, tokenizer_of
from tests.conditioning.test_prompt import MERGES, SPEC

ROOM = 10
TEXT = TextEncoderConfig(
    vocabulary=512 + len(MERGES) + 2,
    context_length=ROOM + 2,
    width=64,
    layers=3,
    heads=2,
    feed_width=64,
    activation="quick_gelu",
)
MODEL = dataclasses.replace(SPEC, text_encoder=TEXT)
LEVELS = torch.tensor([14.6, 7.0, 3.0, 1.0, 0.3, 0.0])


@functools.cache
def encoder() -> TextEncoder:
    torch.manual_seed(0)
    made = TextEncoder(TEXT).requires_grad_(requires_grad=False)
    torch.nn.init.normal_(made.norm_out.bias, -0.2)  # trained ones have a mean
    return made


@functools.cache
def tokenizer() -> Tokenizer:
    return tokenizer_of(MODEL)


def read(
    text: str,
    negative: str = "",
    *,
    syntax: PromptSyntax = "a1111",
    clip_skip: int = 1,
    **said: Any,
) -> Follow:
    wishes = {"levels": LEVELS, "remembered": {}, "text_encoder": encoder(), **said}
    return prompt.read(
        text,
        negative,
        syntax=syntax,
        clip_skip=clip_skip,
        spec=MODEL,
        tokenizer=tokenizer(),
        **wishes,
    )


def at(follow: Follow, sigma: float) -> Conditions:
    return follow(torch.tensor(sigma, dtype=torch.float64))


def context(text: str, syntax: PromptSyntax = "a1111", **said: Any) -> Tensor:
    (part,) = at(read(text, syntax=syntax, **said), 14.6).parts
    assert part.weight == 1
    return part.context


def plain(text: str) -> Tensor:
    return prompt.embed(text, tokenizer(), encoder())


@pytest.mark.parametrize("syntax", get_args(PromptSyntax))
def test_a_prompt_without_marks_is_the_same_in_all(syntax: PromptSyntax) -> None:
    assert torch.equal(context("cat dog", syntax), plain("cat dog"))
    assert torch.equal(at(read("cat", "dog", syntax=syntax), 1.0).negative, plain("dog"))


def test_steps_are_told_from_sigma_alone() -> None:
    follow = read("[cat:dog:2]")
    cat, dog = plain("cat"), plain("dog")
    # A1111 counts steps from 0 and holds what comes before through step `when`.
    for sigma, said in [(14.6, cat), (7.0, cat), (3.0, cat), (1.0, dog), (0.3, dog), (14.6, cat)]:
        assert torch.equal(at(follow, sigma).parts[0].context, said)
    for sigma, said in [(20.0, cat), (2.9, cat), (1.1, cat), (0.9, dog), (0.0, dog)]:
        assert torch.equal(at(follow, sigma).parts[0].context, said)
    rounded = float(torch.tensor(3.0) * (1 - 1e-7))
    assert torch.equal(at(follow, rounded).parts[0].context, cat)


def test_fractions_are_of_the_steps_asked_for() -> None:
    assert torch.equal(at(read("[cat:dog:0.5]"), 1.0).parts[0].context, plain("dog"))
    assert torch.equal(at(read("[cat:dog:0.5]", steps=20), 1.0).parts[0].context, plain("cat"))


def test_the_second_pass_counts_on() -> None:
    assert torch.equal(at(read("[cat:dog:0.5]", earlier=20), 14.6).parts[0].context, plain("dog"))
    late = read("[cat:dog:1.5]", earlier=20)
    assert torch.equal(at(late, 3.0).parts[0].context, plain("cat"))
    assert torch.equal(at(late, 1.0).parts[0].context, plain("dog"))


def test_and_joins_parts_of_one_length() -> None:
    follow = read("cat :0.7 AND " + "dog " * (ROOM + 1) + ":-1.5")
    cat, dogs = at(follow, 1.0).parts
    assert (cat.weight, dogs.weight) == (0.7, -1.5)
    assert dogs.context.shape == (1, 2 * (ROOM + 2), 64)
    assert torch.equal(cat.context[:, : ROOM + 2], plain("cat"))
    assert (cat.context[:, ROOM + 2 :] == plain("cat")[:, -1:]).all()
    assert at(follow, 1.0).negative.shape == (1, ROOM + 2, 64)


def test_in_a_negative_prompt_and_is_a_word() -> None:
    assert torch.equal(at(read("", "cat AND dog"), 1.0).negative, plain("cat AND dog"))


def test_long_prompts_are_read_in_chunks() -> None:
    long = context("dog " * ROOM + "cat")
    assert torch.equal(long, torch.cat([plain("dog " * ROOM), plain("cat")], dim=1))
    assert torch.equal(context("dog BREAK cat"), torch.cat([plain("dog"), plain("cat")], dim=1))
    assert context("dog " * 400, "plain").shape == (1, ROOM + 2, 64)
    with pytest.raises(RequestError, match="40 times"):
        context("dog " * 400)


def test_clip_skip_takes_an_earlier_layer() -> None:
    ids = torch.tensor([tokenizer().chunk("cat dog").ids])
    network = encoder()
    x = network.token_embedding(ids) + network.position_embedding.weight
    by_hand = network.norm_out(network.blocks[1](network.blocks[0](x)))
    assert torch.equal(context("cat dog", clip_skip=2), by_hand)
    assert not torch.equal(context("cat dog", clip_skip=3), by_hand)
    for skip in 0, 4:
        with pytest.raises(RequestError, match="3 layers"):
            read("cat", clip_skip=skip)


def test_embeddings_are_remembered() -> None:
    remembered: dict[tuple[object, ...], Tensor] = {}
    read("[cat|dog] BREAK cat", "", remembered=remembered)
    assert len(remembered) == 3  # cat, dog and the empty prompt
    known = dict(remembered)
    read("(dog:1.3)", "cat", remembered=remembered)
    assert {key: id(value) for key, value in remembered.items()} == {
        key: id(value) for key, value in known.items()
    }
    read("cat", "", clip_skip=2, remembered=remembered)
    assert len(remembered) == 5
    for number in range(200):
        read("dog " * (number % 9) + "cat " * (number % 7), "", remembered=remembered)
        assert len(remembered) <= 64
