"""A separate autoencoder in place of the model's own."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import safetensors.torch

from darkroom.contracts import ImageDone, Request
from darkroom.errors import ModelError
from darkroom.images import io
from darkroom.planning import again
from darkroom.tasks.engine import Engine
from tests.tasks.conftest import Wish
from tests.tasks.pictures import distance, done

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint


@pytest.fixture(scope="module")
def other(tiny_checkpoint: "TinyCheckpoint", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's autoencoder alone, with another last layer."""
    prefix = "first_stage_model."
    state = safetensors.torch.load_file(tiny_checkpoint.safetensors)
    alone = {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
    alone["decoder.conv_out.weight"] = alone["decoder.conv_out.weight"].flip(0).contiguous()
    file = tmp_path_factory.mktemp("vae") / "other-vae.safetensors"
    safetensors.torch.save_file(alone, file)
    return file


def one(engine: Engine, request: Request) -> ImageDone:
    (image,) = done(engine.run(request))
    return image


def test_it_decodes(engine: Engine, wish: Wish, other: Path) -> None:
    own = one(engine, wish(eta=0.0))
    with_other = one(engine, wish(eta=0.0, vae=str(other)))
    assert distance(own.image, with_other.image) > 20
    mirrored = io.to_array(own.image)[..., ::-1].astype(int)
    bias = abs(mirrored - io.to_array(with_other.image)).max()
    assert bias < 40, "the same picture but for the order of its colours, and their bias"
    assert distance(one(engine, wish(eta=0.0)).image, own.image) == 0, "the own one comes back"
    assert own.recipe.vae is None


def test_it_is_in_the_recipe_and_makes_the_image_again(
    engine: Engine, wish: Wish, other: Path
) -> None:
    first = one(engine, wish(vae=str(other)))
    assert first.recipe.vae == "other-vae"
    assert first.recipe.vae_sha256
    assert str(other.parent) not in str(first.recipe)
    wished = replace(again.request_of(first.recipe), model=engine.model, vae=str(other))
    second = one(engine, wished)
    assert distance(first.image, second.image) == 0
    assert list(again.differences(first.recipe, second.recipe)) == []
    own = one(engine, replace(wished, vae=None))
    assert "The separate VAE is another one." in list(again.differences(first.recipe, own.recipe))


def test_what_is_no_vae_is_refused(engine: Engine, wish: Wish, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model 'absent'"):
        engine.run(wish(vae="absent"))
    (tmp_path / "no.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError):
        engine.run(wish(vae=str(tmp_path / "no.safetensors")))
