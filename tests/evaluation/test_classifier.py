"""The judge's network: what it learns from, and that its file is what was trained."""

from pathlib import Path

import pytest
import torch

from darkroom.errors import DarkroomError
from darkroom.evaluation import classifier
from darkroom.evaluation.classifier import SIDE, Classifier, Crops, train
from darkroom.evaluation.glyphs import Glyphs
from darkroom.evaluation.vocabulary import SHAPES


def test_crops_show_every_class_and_what_is_nothing(glyphs: Glyphs) -> None:
    crops = Crops(glyphs.of(["fox", "bus"]), torch.Generator().manual_seed(0))
    assert crops.names == ("fox", "bus", *SHAPES)
    images, labels = crops.batch(100)
    assert images.shape == (100, 3, SIDE, SIDE)
    assert float(images.min()) >= 0 and float(images.max()) <= 1
    assert set(labels.tolist()) == set(range(len(crops.names) + 1))
    assert int((labels == len(crops.names)).sum()) == 20


def test_the_same_seed_gives_the_same_network_and_the_file_holds_it(
    glyphs: Glyphs, tmp_path: Path
) -> None:
    few = glyphs.of(["fox", "bus"])
    first, second = train(few, steps=2), train(few, steps=2)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    first.save(tmp_path / "c.safetensors")
    read = Classifier.from_file(tmp_path / "c.safetensors")
    assert read.names == first.names
    crops = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(read(crops), first(crops), atol=0.02)


def test_the_network_of_the_package_is_small_and_knows_the_pictures(
    glyphs: Glyphs,
) -> None:
    path = Path(classifier.__file__).with_name("classifier.safetensors")
    assert path.stat().st_size <= 2 * 2**20
    assert Classifier.from_file(path).names == (*glyphs.names, *SHAPES)


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x02\0\0\0\0\0\0\0{}"])
def test_what_is_no_classifier_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "c.safetensors"
    file.write_bytes(content)
    with pytest.raises(DarkroomError, match="no classifier"):
        Classifier.from_file(file)


def test_what_are_no_pictures_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "g.npz"
    file.write_bytes(b"no pictures")
    with pytest.raises(DarkroomError, match="no pictures"):
        Glyphs.from_file(file)
