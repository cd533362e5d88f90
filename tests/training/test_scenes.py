"""What Mini is taught, as far as no font is needed."""

import numpy as np
import torch
from PIL import Image

from darkroom.contracts import AutoencoderConfig
from darkroom.evaluation import judge
from darkroom.text.tokenizer import Tokenizer, pruned_merges
from darkroom.training import scenes
from darkroom.training.autoencoder import new_autoencoder, normalise_latents, psnr


def test_a_scene_depends_on_its_number_alone() -> None:
    assert scenes.training_scene(1, 7) == scenes.training_scene(1, 7)
    assert scenes.training_scene(1, 7) != scenes.training_scene(1, 8)


def test_held_out_pairs_never_occur_and_everything_else_does() -> None:
    seen = {(s.object, s.background) for s in (scenes.training_scene(0, i) for i in range(8000))}
    pairs = {(o, b) for o in range(len(scenes.OBJECTS)) for b in scenes.BACKGROUNDS}
    held_out = {pair for pair in pairs if scenes.held_out(*pair)}
    assert 0.05 < len(held_out) / len(pairs) < 0.15
    assert seen == pairs - held_out


def test_captions_hold_known_words_only() -> None:
    known = set(scenes.words())
    for i in range(500):
        caption = scenes.training_scene(3, i).caption
        assert {word.strip(",") for word in caption.split()} <= known, caption


def test_the_pruned_vocabulary_splits_captions_as_the_whole_one_does() -> None:
    merges = pruned_merges(scenes.words())
    small, whole = Tokenizer(merges=merges, context_length=32), Tokenizer.clip()
    for i in range(100):
        caption = scenes.training_scene(4, i).caption
        assert len(small.encode(caption)) == len(whole.encode(caption))


def test_the_judge_knows_every_object_and_background_by_a_table_of_its_own() -> None:
    assert set(judge.UNICODE_NAMES) == {item.names[0] for item in scenes.OBJECTS}
    assert set(judge.COLOURS) == set(scenes.BACKGROUNDS)


def test_painting_puts_the_glyph_where_the_scene_says() -> None:
    painter = scenes.Painter.__new__(scenes.Painter)
    painter.__dict__["glyphs"] = (Image.new("RGBA", (10, 20), (255, 0, 255, 255)),)
    scene = scenes.Scene(0, "white", size=0.5, x=0.5, y=0.5, caption="")
    pixels = painter.paint(scene, 64)
    rows, columns = np.where((pixels == (255, 0, 255)).all(axis=2))
    assert (rows.min(), rows.max()) == (16, 47)
    assert (columns.min(), columns.max()) == (24, 39)
    assert tuple(pixels[0, 0]) == scenes.BACKGROUNDS["white"]


@torch.no_grad()
def test_normalising_latents_changes_their_size_and_nothing_that_is_decoded() -> None:
    config = AutoencoderConfig(
        in_channels=3, latent_channels=4, widths=(8, 16), blocks=1, norm_groups=4
    )
    model = new_autoencoder(config, seed=1)
    torch.nn.init.normal_(model.decoder.conv_out.weight)
    pixels = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = model.decode(model.encode(pixels))
    normalise_latents(model, pixels, 0.18215)
    assert abs(float(model.encode(pixels).std()) * 0.18215 - 1) < 1e-4
    assert psnr(model.decode(model.encode(pixels)), before) > 80
