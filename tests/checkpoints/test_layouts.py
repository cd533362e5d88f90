"""The key maps are complete and exact: on the published full-size header, and on our networks."""

import dataclasses
import gzip
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from darkroom.checkpoints import layouts
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import Header, TensorInfo
from darkroom.checkpoints.layouts import Sizes
from darkroom.checkpoints.load import Unfilled
from darkroom.checkpoints.rows import Row
from darkroom.checkpoints.tensors import contiguous
from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet

DATA = Path(__file__).parents[1] / "data"

TEXT = TextEncoderConfig(
    vocabulary=49_408,
    context_length=77,
    width=768,
    layers=12,
    heads=12,
    feed_width=3072,
    activation="quick_gelu",
)
UNET = UNetConfig(
    in_channels=4,
    out_channels=4,
    widths=(320, 640, 1280, 1280),
    blocks=2,
    depths=(1, 1, 1, 0),
    middle_depth=1,
    self_attention=(True, True, True, True),
    heads=(8, 8, 8, 8),
    context_width=768,
)
AUTOENCODER = AutoencoderConfig(
    in_channels=3, latent_channels=4, widths=(128, 256, 512, 512), blocks=2
)


def published(name: str) -> Header:
    """A published file's header, from the list of its keys, types and shapes."""
    listed = json.loads(gzip.decompress((DATA / f"{name}-header.json.gz").read_bytes()))
    tensors = {
        key: TensorInfo(dtype, tuple(shape), contiguous(tuple(shape)), 0)
        for key, (dtype, shape) in listed.items()
    }
    return Header(container="ckpt", tensors=tensors, metadata={})


def networks(
    text: TextEncoderConfig, unet: UNetConfig, autoencoder: AutoencoderConfig
) -> dict[str, nn.Module]:
    with torch.device("meta"), Unfilled():
        return {
            "text_encoder": TextEncoder(text),
            "unet": UNet(unet),
            "autoencoder": Autoencoder(autoencoder),
        }


def assert_rows_are_the_networks(rows: tuple[Row, ...], modules: dict[str, nn.Module]) -> None:
    for name, module in modules.items():
        ours = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        mapped = {row.ours: row.shape for row in rows if row.network == name}
        assert mapped == ours


def test_the_published_header_maps_one_to_one() -> None:
    header = published("sd1")
    rows = layouts.model_rows(Sizes(text_encoder=TEXT, unet=UNET, autoencoder=AUTOENCODER))
    shapes = {row.published: row.published_shape for row in rows}
    assert len(shapes) == len(rows) == len({(row.network, row.ours) for row in rows}) == 1130
    left = header.tensors.keys() - shapes.keys()
    assert all(layouts.is_leftover(name) for name in left)
    assert len(left) == 13
    assert {name: header.tensors[name].shape for name in shapes} == shapes
    assert_rows_are_the_networks(rows, networks(TEXT, UNET, AUTOENCODER))


def test_the_published_header_is_understood() -> None:
    spec = detect(published("sd1"), Path("sd-v1-4.ckpt"))
    assert (spec.text_encoder, spec.unet, spec.autoencoder) == (TEXT, UNET, AUTOENCODER)
    assert spec.parameters == 1_066_235_307
    assert spec.stored_bytes == 4 * spec.parameters
    assert (spec.name, spec.family, spec.task) == ("sd-v1-4", "sd1", "txt2img")
    assert (spec.native_width, spec.native_height, spec.multiple) == (512, 512, 64)
    assert (spec.prediction, spec.latent_scale) == ("eps", 0.18215)
    assert not spec.zero_terminal_snr and not spec.demonstration


@settings(max_examples=30)
@given(data=st.data())
def test_small_ones_map_as_the_real_one_does(data: st.DataObject) -> None:
    """Any size that can be built: rows equal the networks, and sizes are read back from them."""
    levels = data.draw(st.integers(1, 4))
    sizes = st.integers(1, 2)

    def of_levels(strategy: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(data.draw(st.lists(strategy, min_size=levels, max_size=levels)))

    text = TextEncoderConfig(
        vocabulary=data.draw(st.integers(1, 9)),
        context_length=data.draw(st.integers(1, 9)),
        width=64 * data.draw(sizes),
        layers=data.draw(st.integers(1, 3)),
        heads=data.draw(st.sampled_from([1, 2, 4])),
        feed_width=data.draw(st.integers(1, 9)),
        activation="quick_gelu",
    )
    widths = tuple(32 * n for n in of_levels(st.integers(1, 3)))
    depths = of_levels(st.integers(0, 2))
    inward = tuple(
        depth == 0 or width == text.width or data.draw(st.booleans())
        for width, depth in zip(widths, depths, strict=True)
    )
    unet = UNetConfig(
        in_channels=3,
        out_channels=3,
        widths=widths,
        blocks=data.draw(sizes),
        depths=depths,
        middle_depth=data.draw(sizes),
        # The middle looks as the last resolution does, also where that has no attention.
        self_attention=inward,
        heads=(data.draw(st.sampled_from([2, 8])),) * levels,
        context_width=text.width,
        norm_groups=data.draw(st.sampled_from([8, 32])),
    )
    autoencoder = AutoencoderConfig(
        in_channels=3,
        latent_channels=3,
        widths=tuple(32 * n for n in of_levels(st.integers(1, 3))),
        blocks=data.draw(sizes),
        norm_groups=data.draw(st.sampled_from([16, 32])),
    )
    rows = layouts.model_rows(Sizes(text_encoder=text, unet=unet, autoencoder=autoencoder))
    assert_rows_are_the_networks(rows, networks(text, unet, autoencoder))

    from darkroom.checkpoints.detect import hidden_sizes

    flat = data.draw(st.booleans(), label="1 × 1 convolutions as matrices, in the autoencoder")
    header = Header(
        container="safetensors",
        tensors={
            row.published: TensorInfo("F16", shape, contiguous(shape), 0)
            for row in rows
            for shape in [
                row.shape if flat and row.network == "autoencoder" else row.published_shape
            ]
        },
        metadata=hidden_sizes(Sizes(text_encoder=text, unet=unet, autoencoder=autoencoder)),
    )
    spec = detect(header, Path("small.safetensors"))
    assert (spec.text_encoder, spec.autoencoder) == (text, autoencoder)
    assert spec.unet == unet


def test_names_of_moving_averages_lose_their_dots() -> None:
    name = "model.diffusion_model.input_blocks.0.0.weight"
    assert layouts.ema_name(name) == "model_ema.diffusion_modelinput_blocks00weight"
    rows = layouts.model_rows(Sizes(text_encoder=TEXT, unet=UNET, autoencoder=AUTOENCODER))
    averages = {layouts.ema_name(row.published) for row in rows if row.network == "unet"}
    assert len(averages) == sum(row.network == "unet" for row in rows)


def test_a_row_takes_a_convolution_or_a_matrix_and_nothing_else() -> None:
    rows = layouts.model_rows(Sizes(text_encoder=TEXT, unet=UNET, autoencoder=AUTOENCODER))
    by_name = {row.published: row for row in rows}
    query = by_name["first_stage_model.encoder.mid.attn_1.q.weight"]
    assert query.fits((512, 512, 1, 1), "published") and query.fits((512, 512), "diffusers")
    assert query.fits((512, 512), "published")
    assert not query.fits((512, 512, 1), "published")
    assert not query.fits((512 * 512,), "published")
    skip = by_name["model.diffusion_model.input_blocks.4.0.skip_connection.weight"]
    assert skip.fits((640, 320, 1, 1), "published") and not skip.fits((640, 320), "published")
    with pytest.raises(dataclasses.FrozenInstanceError):
        query.ours = "x"  # type: ignore[misc]
