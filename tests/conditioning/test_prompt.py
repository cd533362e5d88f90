import dataclasses
from pathlib import Path

import pytest
import torch

from darkroom.conditioning import prompt
from darkroom.contracts import AutoencoderConfig, ModelSpec, TextEncoderConfig, UNetConfig
from darkroom.errors import ModelError, RequestError
from darkroom.models.text_encoder import TextEncoder
from darkroom.text.tokenizer import Tokenizer, tokenizer_of

MERGES = ("c a", "ca t</w>", "d o", "do g</w>")
TEXT = TextEncoderConfig(
    vocabulary=512 + len(MERGES) + 2,
    context_length=8,
    width=64,
    layers=1,
    heads=1,
    feed_width=64,
    activation="quick_gelu",
)
SPEC = ModelSpec(
    name="Small",
    path=Path("small.safetensors"),
    family="sd1",
    task="txt2img",
    text_encoder=TEXT,
    autoencoder=AutoencoderConfig(in_channels=3, latent_channels=4, widths=(32,), blocks=1),
    unet=UNetConfig(
        in_channels=4,
        out_channels=4,
        widths=(32,),
        blocks=1,
        depths=(0,),
        middle_depth=1,
        self_attention=(True,),
        heads=(8,),
        context_width=64,
    ),
    prediction="eps",
    prediction_reason="",
    zero_terminal_snr=False,
    latent_scale=0.18215,
    native_width=64,
    native_height=64,
    parameters=1,
    stored_bytes=2,
    merges=MERGES,
    words=("cat", "dog"),
)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return tokenizer_of(SPEC)


def test_the_embedding_is_the_text_encoders(tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    encoder = TextEncoder(TEXT).requires_grad_(requires_grad=False)
    embedding = prompt.embed("cat dog", tokenizer, encoder)
    bos, eos = tokenizer.bos, tokenizer.eos
    ids = torch.tensor([[bos, 513, 515, eos, eos, eos, eos, eos]])
    assert embedding.shape == (1, 8, 64)
    assert torch.equal(embedding, encoder(ids))
    assert not torch.equal(embedding, prompt.embed("dog cat", tokenizer, encoder))
    assert prompt.embed("", tokenizer, encoder).isfinite().all()


def test_clip_where_the_model_brings_no_vocabulary() -> None:
    published = dataclasses.replace(TEXT, vocabulary=49_408, context_length=77)
    spec = dataclasses.replace(SPEC, merges=(), text_encoder=published)
    assert tokenizer_of(spec) is Tokenizer.clip(context_length=77)


def test_openclip_is_fed_in_its_own_way() -> None:
    """Filled up with 0, and HTML mended, which CLIP's tokenizer in transformers leaves alone."""
    published = dataclasses.replace(TEXT, vocabulary=49_408, context_length=77, tokens="openclip")
    tokenizer = tokenizer_of(dataclasses.replace(SPEC, merges=(), text_encoder=published))
    assert tokenizer.chunk("a cat").ids == (49_406, 320, 2368, 49_407, *[0] * 73)
    assert tokenizer.encode("cat &amp;amp; dog") == tokenizer.encode("cat & dog")
    own = tokenizer_of(
        dataclasses.replace(SPEC, text_encoder=dataclasses.replace(TEXT, tokens="openclip"))
    )
    assert own.chunk("").ids[-1] == 0


def test_a_vocabulary_larger_than_the_table_is_refused() -> None:
    spec = dataclasses.replace(SPEC, merges=())
    with pytest.raises(ModelError, match="49,408"):
        tokenizer_of(spec)


def test_nothing_to_remark(tokenizer: Tokenizer) -> None:
    assert prompt.remarks("a cat dog", "prompt", SPEC, tokenizer) == ()
    assert prompt.remarks("", "prompt", SPEC, tokenizer) == ()


def test_cut_words_are_named(tokenizer: Tokenizer) -> None:
    (line,) = prompt.remarks("cat dog cat dog cat dog Cat, dog", "prompt", SPEC, tokenizer)
    assert line == "The prompt is too long for the model, which does not see: Cat, dog"


def test_however_much_is_cut_it_is_told_in_a_line(tokenizer: Tokenizer) -> None:
    (line,) = prompt.remarks("cat " * 6 + "dog\n cat\n" * 9_000, "prompt", SPEC, tokenizer)
    assert line.isprintable()
    assert ": dog cat dog" in line
    assert line.endswith("…")
    assert len(line) < 500


def test_unknown_words_are_named_with_the_nearest(tokenizer: Tokenizer) -> None:
    line = prompt.remarks("a cats zzz", "prompt", SPEC, tokenizer)[-1]
    assert line.startswith("Small is a small demonstration and does not know ")
    assert "“cats” (near: “cat”), “zzz”." in line
    assert "name its file as the model" in line


def test_a_line_stays_a_line(tokenizer: Tokenizer) -> None:
    many = " ".join(letter * 3 for letter in "efghijklm")
    line = prompt.remarks(many, "prompt", SPEC, tokenizer)[-1]
    assert "“jjj”, …." in line
    assert "kkk" not in line


def test_a_model_that_knows_them_all_says_nothing(tokenizer: Tokenizer) -> None:
    spec = dataclasses.replace(SPEC, words=())
    assert prompt.remarks("zzz", "prompt", spec, tokenizer) == ()


def test_what_an_other_syntax_cuts_or_leaves_out_is_told(tokenizer: Tokenizer) -> None:
    assert prompt.remarks("cat dog " * 9, "prompt", SPEC, tokenizer, "a1111") == ()
    (line,) = prompt.remarks("cat <lora:dog:1>", "prompt", SPEC, tokenizer, "a1111")
    assert line.startswith("<lora:dog:1> was left out")
    (line,) = prompt.remarks(f"cat:1 {'dog ' * 8}:2", "prompt", SPEC, tokenizer, "basujindal")
    assert line.endswith("does not see: dog dog")
    (line,) = prompt.remarks("(cat:1.2) [dgo]", "prompt", SPEC, tokenizer, "a1111")
    assert "know “dgo” (near: “dog”)." in line
    with pytest.raises(RequestError, match="no weight"):
        prompt.remarks("(cat:1e9)", "prompt", SPEC, tokenizer, "a1111")
