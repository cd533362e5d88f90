"""The safety checker against diffusers' own, with equal weights; the preprocessing too."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil

from darkroom.checkpoints import safety
from darkroom.checkpoints.load import load_safety_checker
from darkroom.errors import ModelError
from darkroom.images import io, veil
from darkroom.tasks.pixels import clip_colours, to_tensor
from tests import tiny_safety

SIDE = tiny_safety.SIDE


def test_it_finds_what_diffusers_finds(tmp_path: Path) -> None:
    theirs = tiny_safety.checker()
    theirs.save_pretrained(tmp_path)
    ours = load_safety_checker(tmp_path)
    pictures = torch.randn(64, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    shown = np.zeros((64, SIDE, SIDE, 3))
    _, expected = theirs(clip_input=pictures, images=shown)
    with torch.no_grad():
        found = ours(pictures)
    assert found.tolist() == [bool(one) for one in expected]
    assert 5 < sum(expected) < 59, "some of each"


def test_an_image_near_a_special_concept_is_judged_more_strictly(tmp_path: Path) -> None:
    theirs = tiny_safety.checker()
    picture = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        embedding = theirs.visual_projection(theirs.vision_model(picture)[1])[0]
    nearness = torch.cosine_similarity(embedding, theirs.concept_embeds)
    theirs.concept_embeds_weights.copy_(nearness + 0.005)  # just not near enough
    found = []
    for limit in (1.1, -1.1):
        theirs.special_care_embeds_weights.fill_(limit)
        theirs.save_pretrained(tmp_path / str(limit))
        found.append(bool(load_safety_checker(tmp_path / str(limit))(picture)))
    assert found == [False, True]


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (61, 200), (512, 384)])
def test_it_sees_what_transformers_shows_it(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    expected = processor(Image.fromarray(pixels), return_tensors="pt")["pixel_values"][0]
    seen = veil.seen(io.from_array(pixels), SIDE)
    ours = clip_colours(to_tensor(seen, SIDE, SIDE))
    assert (ours - expected).abs().max() < 0.02  # a level of 255 is 0.015


@pytest.mark.parametrize("form", ["folder", "file", "pickle"])
def test_files_as_they_are_published(form: str, tmp_path: Path) -> None:
    theirs = tiny_safety.checker()
    if form == "pickle":
        # What older programs wrote has the numbers of the positions as well.
        positions = {"vision_model.vision_model.embeddings.position_ids": torch.arange(5)[None]}
        torch.save(theirs.state_dict() | positions, tmp_path / "pytorch_model.bin")
        theirs.config.save_pretrained(tmp_path)
    else:
        theirs.save_pretrained(tmp_path)
    if form == "file":  # as the published one is called, whose tower is named twice
        state = safetensors.torch.load_file(tmp_path / "model.safetensors")
        twice = {
            f"vision_model.{name}" if name.startswith("vision_model.") else name: tensor
            for name, tensor in state.items()
        }
        assert any(name.startswith("vision_model.vision_model.embed") for name in twice)
        safetensors.torch.save_file(twice, tmp_path / "model.safetensors")
    path = tmp_path / "model.safetensors" if form == "file" else tmp_path
    if form == "file":
        (tmp_path / "config.json").unlink()
    found = safety.read_safety_checker(path)
    # The number of heads is in no tensor; without a configuration it is the published one's.
    assert found.config.heads == (16 if form == "file" else tiny_safety.HEADS)
    assert (found.concepts, found.special) == (4, 3)


def test_what_is_no_safety_checker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not there"):
        safety.read_safety_checker(tmp_path / "absent.safetensors")
    theirs = tiny_safety.checker()
    del theirs.special_care_embeds_weights
    theirs.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is no safety checker"):
        safety.read_safety_checker(tmp_path)
