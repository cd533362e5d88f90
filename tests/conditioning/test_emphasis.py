"""How weights act on embeddings, written out again from each tool's definition."""

import functools
import math

import pytest
import torch
from torch import Tensor

from darkroom.conditioning import emphasis
from darkroom.models.text_encoder import TextEncoder
from tests.conditioning.test_read import ROOM, TEXT, at, context, encoder, plain, read, tokenizer


def weights_of(*weights: float) -> Tensor:
    """One for each token of a chunk; those of the text are given."""
    return torch.tensor([1, *weights, *[1] * (ROOM + 1 - len(weights))])[None, :, None]


def test_a1111_keeps_the_mean() -> None:
    z = plain("cat dog")
    weighted = z * weights_of(1.5, 0.5)
    expected = weighted * (z.mean() / weighted.mean())
    found = context("(cat:1.5) (dog:0.5)")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert found.mean() == pytest.approx(z.mean().item(), rel=1e-4)


def test_a1111_keeps_the_mean_of_each_chunk() -> None:
    z = plain("cat")
    weighted = z * weights_of(1.5)
    changed = weighted * (z.mean() / weighted.mean())
    expected = torch.cat([changed, plain("dog")], dim=1)
    found = context("(cat:1.5) BREAK dog")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a1111_keeps_one_mean_for_all_stages_of_a_prompt() -> None:
    """They pass its text encoder as one batch; a shorter one is filled up with empty chunks."""
    follow = read("[(cat:2):dog BREAK dog:1]")
    z = torch.cat([plain("cat"), plain("dog")])
    weighted = torch.cat([plain("cat") * weights_of(2.0), plain("dog")])
    first, later = weighted * (z.mean() / weighted.mean())
    before, after = at(follow, 14.6).parts[0].context, at(follow, 0.3).parts[0].context
    torch.testing.assert_close(before[0, : ROOM + 2], first, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(after[0, : ROOM + 2], later, rtol=1e-5, atol=1e-6)
    assert torch.equal(before[:, ROOM + 2 :], plain(""))
    assert torch.equal(after[:, ROOM + 2 :], plain("dog"))


def test_without_a_mean_there_is_none_to_keep() -> None:
    z = torch.randn(1, 8, 64, generator=torch.Generator().manual_seed(0))
    z -= z.mean() - 1e-4
    weights = torch.tensor([[1, 1.5, 1, 1, 0.5, 1, 1, 1]])
    assert torch.equal(emphasis.keep_mean(z, weights, torch.ones(1)), z * weights[..., None])


def test_what_is_said_more_often_counts_more() -> None:
    cat, dog = plain("cat"), plain("dog")
    z = torch.cat([cat, dog, cat, dog, cat])  # A1111's batch for [(cat:2)|dog] in five steps
    weighted = torch.cat([z[:1] * weights_of(2.0), dog] * 2 + [z[:1] * weights_of(2.0)])
    expected = weighted * (z.mean() / weighted.mean())
    follow = read("[(cat:2)|dog]")
    for sigma, row in (14.6, 0), (3.0, 1):
        found = at(follow, sigma).parts[0].context
        torch.testing.assert_close(found[0], expected[row], rtol=1e-5, atol=1e-6)


def test_comfyui_moves_from_the_empty_prompt() -> None:
    z, empty = plain("cat dog"), plain("")
    expected = empty + (z - empty) * weights_of(1.5, 0.5)
    found = context("(cat:1.5) (dog:0.5)", "comfyui")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(found[:, 0], z[:, 0]), "a weight of 1 changes nothing"


def test_invokeai_moves_from_the_empty_prompt_where_more_is_meant() -> None:
    z, empty = plain("cat dog"), plain("")
    expected = empty + (z - empty) * weights_of(1.21, 1)
    found = context("cat++ dog", "invokeai")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_invokeai_blends_with_the_prompt_without_the_words_where_less_is_meant() -> None:
    empty = plain("")

    def weighted(seen: list[bool]) -> Tensor:
        ids = torch.tensor([tokenizer().chunk("cat dog").ids])
        z = encoder()(ids, seen=torch.tensor([seen + [True] * (ROOM + 2 - len(seen))]))
        out: Tensor = empty + (z - empty) * weights_of(0.5, 0.25)
        return out

    shares = [1, math.tan(0.5 * math.pi / 2), math.tan(0.75 * math.pi / 2)]
    versions = [[True] * 3, [True, False], [True, True, False]]
    mixed = sum(share * weighted(seen) for share, seen in zip(shares, versions, strict=True))
    expected = mixed / sum(shares)
    found = context("(cat)0.5 (dog)0.25", "invokeai")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, weighted([True]), atol=1e-3)


def test_invokeai_joins_and_blends() -> None:
    joined = context('("cat", "dog").and()', "invokeai")
    assert torch.equal(joined, torch.cat([plain("cat"), plain("dog")], dim=1))
    weighed = context('("cat", "dog").and(1, 0.5)', "invokeai")
    half = plain("") + (plain("dog") - plain("")) * 0.5
    torch.testing.assert_close(weighed[:, ROOM + 2 :], half, rtol=1e-5, atol=1e-6)
    mixed = context('("cat", "dog").blend(1, 3)', "invokeai")
    torch.testing.assert_close(mixed, 0.25 * plain("cat") + 0.75 * plain("dog"))


def test_blends_of_unequal_length_are_filled_with_the_empty_prompt() -> None:
    long = "dog " * (ROOM + 1)
    found = context(f'("cat", "{long}").blend(1, 1)', "invokeai")
    filled = torch.cat([plain("cat"), plain("")], dim=1)
    other = torch.cat([plain("dog " * ROOM), plain("dog")], dim=1)
    torch.testing.assert_close(found, (filled + other) / 2, rtol=1e-5, atol=1e-6)


def test_basujindal_blends() -> None:
    found = context("cat:0.2 dog:0.6", "basujindal")
    torch.testing.assert_close(found, 0.25 * plain("cat") + 0.75 * plain("dog"))


def test_half_precision_rounds_once() -> None:
    halved = encoder_in(torch.bfloat16)
    follow = read("(cat:1.5) dog", text_encoder=halved)
    found = at(follow, 14.6).parts[0].context
    assert found.dtype == torch.bfloat16
    full = context("(cat:1.5) dog")
    assert (found.float() - full).abs().max() < 0.1


@functools.cache
def encoder_in(dtype: torch.dtype) -> TextEncoder:
    copied = TextEncoder(TEXT).requires_grad_(requires_grad=False)
    copied.load_state_dict(encoder().state_dict())
    return copied.to(dtype)


def test_hidden_tokens_and_skipped_layers_are_those_of_transformers() -> None:
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=TEXT.vocabulary,
        hidden_size=TEXT.width,
        intermediate_size=TEXT.feed_width,
        num_hidden_layers=TEXT.layers,
        num_attention_heads=TEXT.heads,
        max_position_embeddings=TEXT.context_length,
        attn_implementation="eager",
    )
    theirs = CLIPTextModel(config).eval().requires_grad_(requires_grad=False)
    names = {
        "token_embedding": "embeddings.token_embedding",
        "position_embedding": "embeddings.position_embedding",
        "norm_out": "final_layer_norm",
        "blocks": "encoder.layers",
        "norm_1": "layer_norm1",
        "norm_2": "layer_norm2",
        "attention": "self_attn",
        "to_q": "q_proj",
        "to_k": "k_proj",
        "to_v": "v_proj",
        "to_out": "out_proj",
        "feed_in": "mlp.fc1",
        "feed_out": "mlp.fc2",
    }
    ours = {
        ".".join(names.get(part, part) for part in name.split(".")): weight
        for name, weight in encoder().state_dict().items()
    }
    known = theirs.state_dict()
    prefix = "text_model." if any(name.startswith("text_model.") for name in known) else ""
    theirs.load_state_dict({prefix + name: weight for name, weight in ours.items()}, strict=True)
    ids = torch.tensor([tokenizer().chunk("cat dog cat").ids])
    seen = torch.ones_like(ids, dtype=torch.bool)
    seen[0, 2] = False
    said = theirs(ids, attention_mask=seen.long(), output_hidden_states=True)
    torch.testing.assert_close(
        encoder()(ids, seen=seen), said.last_hidden_state, rtol=1e-4, atol=1e-5
    )
    norm = encoder().norm_out
    torch.testing.assert_close(
        encoder()(ids, seen=seen, skip=2), norm(said.hidden_states[-2]), rtol=1e-4, atol=1e-5
    )
