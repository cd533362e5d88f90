"""Small pictures of latents, whatever the model has to say about its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from darkroom.images import io
from darkroom.tasks.pixels import previews
from tests.planning.specs import V1


@pytest.mark.parametrize("channels", [1, 4, 16])
def test_latents_of_any_model_can_be_shown(channels: int) -> None:
    spec = replace(V1, autoencoder=replace(V1.autoencoder, latent_channels=channels))
    latents = torch.zeros(2, channels, 4, 6)
    latents[:, 0, :, 3:] = 2.0
    first, second = (io.to_array(image) for image in previews(latents, spec, 48, 32))
    assert first.shape == (4, 6, 3)
    assert np.array_equal(first, second)
    assert first[:, 4].mean() > first[:, 1].mean() + 20


def test_a_model_s_own_rows_are_used() -> None:
    spec = replace(V1, preview=((1.0, 0.0, 0.0), *((0.0, 0.0, 0.0),) * 3, (0.0, -1.0, -1.0)))
    (image,) = previews(torch.ones(1, 4, 2, 2), spec, 16, 16)
    assert io.to_array(image)[0, 0].tolist() == [255, 0, 0]
