"""Each network against an independent implementation with the same weights."""

from dataclasses import replace

import pytest
import torch

from darkroom.checkpoints.load import Networks
from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from tests.models import oracles

TOLERANCE = 1e-4  # relative, fp32; measured: below 1e-5


def told_apart(networks: Networks) -> Networks:
    """New norms are all alike, all ones and zeros: two that were exchanged would go unnoticed."""
    for network in (networks.text_encoder, networks.unet, networks.autoencoder):
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.2 * torch.randn_like(parameter)
    return networks


@pytest.fixture(scope="module")
def networks() -> Networks:
    """The proportions of v1 (attention above the coarsest level, two blocks), small."""
    torch.manual_seed(0)
    made = Networks(
        text_encoder=TextEncoder(
            TextEncoderConfig(
                vocabulary=600,
                context_length=77,
                width=64,
                layers=3,
                heads=4,
                feed_width=128,
                activation="quick_gelu",
            )
        ),
        unet=UNet(
            UNetConfig(
                in_channels=4,
                out_channels=4,
                widths=(32, 64, 96, 96),
                blocks=2,
                depths=(1, 1, 1, 0),
                middle_depth=1,
                self_attention=(True,) * 4,
                heads=(8,) * 4,
                context_width=64,
            )
        ),
        autoencoder=Autoencoder(
            AutoencoderConfig(in_channels=3, latent_channels=4, widths=(32, 64, 64, 96), blocks=2)
        ),
    )
    return told_apart(made)


@torch.no_grad()
def test_text_encoder_agrees_with_transformers(networks: Networks) -> None:
    ids = torch.randint(600, (3, 77), generator=torch.Generator().manual_seed(1))
    theirs = oracles.text_encoder(networks)(ids).last_hidden_state
    assert oracles.error(networks.text_encoder(ids), theirs) < TOLERANCE


@torch.no_grad()
def test_unet_agrees_with_diffusers(networks: Networks) -> None:
    x, timestep, context = oracles.random_inputs(networks, 16)
    theirs = oracles.unet(networks)(x, timestep, context).sample
    assert oracles.error(networks.unet(x, timestep, context), theirs) < TOLERANCE


@torch.no_grad()
def test_other_numbers_than_those_of_v1(networks: Networks) -> None:
    """What later families vary: depths, heads of each level, text seen twice, another GELU."""
    torch.manual_seed(1)
    unet = replace(
        networks.unet.config,
        widths=(32, 64, 96),
        blocks=1,
        depths=(0, 2, 0),
        middle_depth=3,
        self_attention=(True, False, True),
        heads=(1, 2, 3),
    )
    text = replace(networks.text_encoder.config, activation="gelu", context_length=40)
    others = told_apart(
        Networks(
            text_encoder=TextEncoder(text),
            unet=UNet(unet),
            autoencoder=Autoencoder(networks.autoencoder.config),
        )
    )
    x, timestep, context = oracles.random_inputs(others, 12)
    theirs = oracles.unet(others)(x, timestep, context).sample
    assert oracles.error(others.unet(x, timestep, context), theirs) < TOLERANCE
    ids = torch.randint(600, (2, 40), generator=torch.Generator().manual_seed(3))
    states = oracles.text_encoder(others)(ids).last_hidden_state
    assert oracles.error(others.text_encoder(ids), states) < TOLERANCE


@torch.no_grad()
def test_autoencoder_agrees_with_diffusers(networks: Networks) -> None:
    pixels = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(2)) * 2 - 1
    oracle, ours = oracles.autoencoder(networks), networks.autoencoder
    posterior = oracle.encode(pixels).latent_dist
    mean, log_variance = ours.moments(pixels)
    assert oracles.error(mean, posterior.mean) < TOLERANCE
    assert oracles.error(log_variance, posterior.logvar) < TOLERANCE
    assert oracles.error(ours.decode(mean), oracle.decode(mean).sample) < TOLERANCE


def test_sizes_that_do_not_fit_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="width 100 is not a multiple of 32 groups"):
        AutoencoderConfig(in_channels=3, latent_channels=4, widths=(100,), blocks=1)
    with pytest.raises(ValueError, match="depths has 1 entries, expected 2"):
        UNetConfig(
            in_channels=4,
            out_channels=4,
            widths=(32, 64),
            blocks=1,
            depths=(1,),
            middle_depth=1,
            self_attention=(True, True),
            heads=(8, 8),
            context_width=64,
        )


@pytest.mark.parametrize("inward", [True, False])
@pytest.mark.parametrize("depths", [(1, 1), (0, 1), (0, 0)])
@torch.no_grad()
def test_an_image_shown_to_several_texts_is_computed_once_until_it_sees_them(
    depths: tuple[int, ...], inward: bool
) -> None:
    config = UNetConfig(
        in_channels=4,
        out_channels=4,
        widths=(32, 64),
        blocks=1,
        depths=depths,
        middle_depth=depths[-1],
        self_attention=(inward,) * 2,
        heads=(4, 4),
        context_width=16,
    )
    torch.manual_seed(0)
    unet = UNet(config).eval()
    rows: list[int] = []
    unet.conv_in.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    images, texts = torch.randn(2, 4, 8, 12), torch.randn(6, 5, 16)
    x, timestep = torch.cat([images] * 3), torch.tensor([3.0, 700.0] * 3)
    out = unet(x, timestep, texts)
    each = [unet(x[i : i + 1], timestep[i : i + 1], texts[i : i + 1]) for i in range(6)]
    assert oracles.error(out, torch.cat(each)) < TOLERANCE / 10
    unet(x, timestep.sort().values, texts)
    unet(x[:3], timestep[:3], texts[:3])
    assert rows == [2, *[1] * 6, 6, 3]
