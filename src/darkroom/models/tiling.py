"""Images that continue at their opposite edge, so that copies laid side by side show no seam."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from darkroom.contracts import Tiling
from darkroom.models.layers import Conv


@contextmanager
def tiled(network: nn.Module, tiling: Tiling) -> Iterator[None]:
    """For a while, take the plane of a U-Net's latents or an autoencoder's pixels as endless.

    In the directions that `tiling` names all convolutions see the opposite edge beyond an edge.
    Nothing else in these networks knows where in the plane it is: rolled inputs give outputs
    rolled alike, by multiples of the network's coarsest step.
    """
    convolutions = [layer for layer in network.modules() if isinstance(layer, Conv)]
    for layer in convolutions:
        layer.wraps_x, layer.wraps_y = tiling in {"x", "both"}, tiling in {"y", "both"}
    try:
        yield
    finally:
        for layer in convolutions:
            layer.wraps_x = layer.wraps_y = False
