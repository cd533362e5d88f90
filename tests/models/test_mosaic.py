"""Pictures in tiles: nothing lost, no seam, and the decoder's tiles alike in tone."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from darkroom import tiles as arithmetic
from darkroom.checkpoints import catalog, detect, load
from darkroom.checkpoints.header import read_header
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.mosaic import common_norms, each_tile, in_tiles, windows
from darkroom.tiles import LARGEST, OVERLAP, tiles


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from([1, 2, 8, 16]))
@settings(max_examples=60)
def test_tiles_cover_everything_with_an_overlap(rows: int, columns: int, multiple: int) -> None:
    height, width = rows * multiple, columns * multiple
    found = tiles(height, width, multiple)
    for side, starts, length in (
        (found.height, found.tops, height),
        (found.width, found.lefts, width),
    ):
        assert starts[0] == 0
        assert starts[-1] + side == length
        assert side <= LARGEST
        assert side % multiple == 0
        for before, after in pairwise(starts):
            assert OVERLAP <= before + side - after < side
    if max(height, width) <= LARGEST:
        assert found.count == 1


@pytest.mark.parametrize(("length", "count"), [(128, 1), (136, 2), (512, 5), (1024, 11)])
def test_as_few_tiles_as_can_be(length: int, count: int) -> None:
    assert len(tiles(length, length, 8).tops) == count


@given(st.integers(129, 1500))
@settings(max_examples=30)
def test_windows_add_up_to_one_and_are_smooth(length: int) -> None:
    found = tiles(length, length, 1)
    total = torch.zeros(length, dtype=torch.float64)
    for start, window in zip(found.tops, windows(found.tops, found.height), strict=True):
        assert window.min() > 0
        assert window.diff().abs().max() < 0.06
        total[start : start + found.height] += window
    torch.testing.assert_close(total, torch.ones_like(total))


def enlarged(x: Tensor) -> Tensor:
    return x.repeat_interleave(4, 2).repeat_interleave(4, 3)


def test_what_looks_at_single_places_is_the_same_in_tiles() -> None:
    x = torch.randn(2, 3, 200, 136, generator=torch.Generator().manual_seed(0))
    made = in_tiles(enlarged, x, tiles(200, 136, 8), factor=4)
    torch.testing.assert_close(made, enlarged(x), atol=1e-6, rtol=0)


def test_a_smooth_picture_has_no_seam() -> None:
    """Of a network whose answer differs from tile to tile as a whole, as by group norms."""

    def by_its_own_mean(x: Tensor) -> Tensor:
        return x - x.mean(dim=(2, 3), keepdim=True)

    y, x = torch.meshgrid(torch.linspace(0, 4, 300), torch.linspace(0, 5, 400), indexing="ij")
    smooth = (y.sin() + x.cos())[None, None]
    found = tiles(300, 400, 1)
    made = in_tiles(by_its_own_mean, smooth, found)
    jumps = [made.diff(dim=dim).abs().max() / smooth.diff(dim=dim).abs().max() for dim in (2, 3)]
    assert max(jumps) < 4
    # Laid side by side, the same tiles show theirs.
    left = by_its_own_mean(smooth[..., : found.width])[..., : found.lefts[1]]
    right = by_its_own_mean(smooth[..., found.lefts[1] : found.lefts[1] + found.width])
    cut = torch.cat([left, right], -1).diff(dim=3).abs().max()
    assert cut > 8 * made.diff(dim=3).abs().max()


@pytest.fixture(scope="module")
def autoencoder() -> Autoencoder:
    """Mini's: what is trained is normalised as trained weights want it."""
    path = catalog.find("mini")
    spec = detect.detect(read_header(path), path)
    return load.load(spec, precision="fp32", device="cpu").autoencoder


@torch.no_grad()
def test_the_decoders_tiles_agree_in_tone(
    autoencoder: Autoencoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded, mean difference from the whole: 3.6 levels of 255, without common norms 6.0."""
    monkeypatch.setattr(arithmetic, "LARGEST", 32)
    monkeypatch.setattr(arithmetic, "OVERLAP", 8)
    generator = torch.Generator().manual_seed(0)
    rough = [torch.randn(1, 3, side, side, generator=generator) / side**0.5 for side in (4, 16, 64)]
    sizes = [torch.nn.functional.interpolate(one, (256, 256), mode="bicubic") for one in rough]
    latent = autoencoder.encode(torch.stack(sizes).sum(0).tanh())
    whole = autoencoder.decode(latent)
    found = tiles(64, 64, 2)
    assert found.count == 9
    apart = in_tiles(autoencoder.decode, latent, found, factor=4)
    with common_norms(autoencoder.decoder) as settle:
        for part in each_tile(latent, found):
            autoencoder.decode(part)
        settle()
        alike = in_tiles(autoencoder.decode, latent, found, factor=4)
    assert (alike - whole).abs().mean() < 0.8 * (apart - whole).abs().mean()
    assert (alike - whole).abs().mean() * 127.5 < 8
    # Afterwards every layer goes by itself again.
    assert torch.equal(autoencoder.decode(latent), whole)


@torch.no_grad()
def test_common_norms_of_one_tile_change_nothing(autoencoder: Autoencoder) -> None:
    latent = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    whole = autoencoder.decode(latent)
    with common_norms(autoencoder.decoder) as settle:
        autoencoder.decode(latent)
        settle()
        again = autoencoder.decode(latent)
    torch.testing.assert_close(again, whole, atol=2e-4, rtol=0)
