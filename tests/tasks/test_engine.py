"""From a Request to finished images, on a random model of the published layout."""

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor

from darkroom.contracts import (
    Event,
    Finished,
    ImageDone,
    Noted,
    Started,
    Stepped,
)
from darkroom.errors import DarkroomError, ImageError, ModelError, RequestError
from darkroom.images import io
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.runtime import device
from darkroom.tasks.engine import Engine
from tests.tasks.conftest import Wish
from tests.tasks.pictures import distance, done, noted, photograph

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint

FULL = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")


# Events


def test_the_order_of_events(engine: Engine, wish: Wish) -> None:
    events = list(engine.run(wish(count=3, batch=2)))
    kinds = [type(event).__name__ for event in events]
    assert kinds == [
        "Started",
        *["Stepped"] * 3,
        *["ImageDone"] * 2,
        *["Stepped"] * 3,
        "ImageDone",
        "Finished",
    ]
    steps = [event for event in events if isinstance(event, Stepped)]
    assert [(e.first, e.images, e.step, e.steps) for e in steps] == [
        (0, 2, 1, 3),
        (0, 2, 2, 3),
        (0, 2, 3, 3),
        (2, 1, 1, 3),
        (2, 1, 2, 3),
        (2, 1, 3, 3),
    ]
    assert [(e.index, e.seed) for e in done(iter(events))] == [(0, 7), (1, 8), (2, 9)]
    started, finished = events[0], events[-1]
    assert isinstance(started, Started)
    assert (started.resolved, started.plan) == engine.plan(wish(count=3, batch=2))
    assert isinstance(finished, Finished)
    assert finished.images == 3
    assert 0 < finished.seconds < 60


def test_previews_are_small_pictures_of_each_image(engine: Engine, wish: Wish) -> None:
    events = engine.run(wish(count=2, batch=2, width=40, height=24), previews=True)
    steps = [event for event in events if isinstance(event, Stepped)]
    assert [len(step.previews) for step in steps] == [2, 2, 2]
    assert {(p.width, p.height) for step in steps for p in step.previews} == {(5, 3)}
    assert len({preview.data for step in steps for preview in step.previews}) == 6


def test_no_previews_unless_asked_for(engine: Engine, wish: Wish) -> None:
    assert {event.previews for event in engine.run(wish()) if isinstance(event, Stepped)} == {()}


def test_the_recipe(engine: Engine, wish: Wish) -> None:
    (image,) = done(engine.run(wish(negative="a dog", guidance=3.0)))
    recipe = image.recipe
    assert (recipe.prompt, recipe.negative, recipe.seed) == ("a cat", "a dog", 7)
    assert (recipe.sampler, recipe.steps, recipe.guidance) == ("euler_ancestral", 3, 3.0)
    assert (recipe.width, recipe.height, recipe.strength) == (32, 32, None)
    assert (recipe.model, len(recipe.model_sha256)) == ("tiny", 64)
    assert (recipe.precision, recipe.engine, recipe.device) == ("fp32", "torch", "cpu")
    assert recipe.versions["torch"] == torch.__version__
    assert str(engine.spec.path.parent) not in repr(recipe)


def test_the_recipe_says_what_ran_and_what_was_asked_for(engine: Engine, wish: Wish) -> None:
    (image,) = done(engine.run(wish(sampler="ddim", steps=15)))
    assert (image.recipe.steps, image.recipe.requested_steps) == (16, 15)
    (image,) = done(engine.run(wish(sampler="ddim", steps=10)))
    assert (image.recipe.steps, image.recipe.requested_steps) == (10, None)


# One seed, one picture


def test_the_same_seed_gives_the_same_picture(engine: Engine, wish: Wish) -> None:
    (first,), (again,) = done(engine.run(wish())), done(engine.run(wish()))
    (other,) = done(engine.run(wish(seed=8)))
    assert first.image == again.image
    assert distance(first.image, other.image) > 20


@pytest.mark.parametrize("sampler", ["ddim", "plms", "dpm_solver", "euler_ancestral", "dpmpp_2m"])
def test_an_image_is_the_same_alone_and_in_any_batch(
    engine: Engine, wish: Wish, sampler: str
) -> None:
    eta = 0.7 if sampler == "ddim" else None
    together = done(engine.run(wish(count=3, batch=3, sampler=sampler, eta=eta)))
    (alone,) = done(engine.run(wish(seed=8, sampler=sampler, eta=eta)))
    assert distance(together[1].image, alone.image) <= 1
    apart = done(engine.run(wish(count=3, batch=2, sampler=sampler, eta=eta)))
    assert max(distance(a.image, b.image) for a, b in zip(together, apart, strict=True)) <= 1


def test_a_random_seed_is_told_and_gives_the_picture_again(engine: Engine, wish: Wish) -> None:
    (first,) = done(engine.run(wish(seed=None)))
    (other,) = done(engine.run(wish(seed=None)))
    assert first.seed != other.seed
    (again,) = done(engine.run(wish(seed=first.seed)))
    assert again.image == first.image


def test_both_kinds_of_file_give_the_same_picture(
    engine: Engine, wish: Wish, tiny_checkpoint: "TinyCheckpoint"
) -> None:
    pickled = Engine.open(str(tiny_checkpoint.ckpt))
    (one,) = done(engine.run(wish()))
    (two,) = done(pickled.run(wish(model=str(tiny_checkpoint.ckpt))))
    assert one.image == two.image


def test_prompt_negative_and_guidance_matter(engine: Engine, wish: Wish) -> None:
    pictures = {
        done(engine.run(wish(**said)))[0].image.data
        for said in (
            {},
            {"prompt": "a dog"},
            {"prompt": ""},
            {"negative": "a dog"},
            {"guidance": 1.0},
        )
    }
    assert len(pictures) == 5


def test_guidance_zero_does_not_read_the_prompt(engine: Engine, wish: Wish) -> None:
    (zero,) = done(engine.run(wish(guidance=0.0)))
    (empty,) = done(engine.run(wish(prompt="")))
    assert distance(zero.image, empty.image) <= 1


def test_the_prediction_that_was_asked_for_is_used(engine: Engine, wish: Wish) -> None:
    (eps,) = done(engine.run(wish()))
    (v,) = done(engine.run(wish(prediction="v")))
    assert (eps.recipe.prediction, v.recipe.prediction) == ("eps", "v")
    assert distance(eps.image, v.image) > 1


def test_weights_are_loaded_once_and_again_for_another_precision(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    from darkroom.checkpoints import load

    loads: list[str] = []
    real = load.load

    def counting(*args: object, **named: object) -> object:
        loads.append(str(named["precision"]))
        return real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(load, "load", counting)
    fresh = Engine.open(engine.model)
    fresh.plan(wish())
    assert loads == []
    for _ in range(2):
        list(fresh.run(wish()))
    list(fresh.run(wish(precision="bf16")))
    assert loads == ["fp32", "bf16"]


def test_averaged_weights_are_used_while_they_are_asked_for(
    wish: Wish, averaged_checkpoint: Path
) -> None:
    both = Engine.open(str(averaged_checkpoint))
    plain = wish(model=both.model)
    (first,), (averaged,), (again,) = (
        done(both.run(said)) for said in (plain, dataclasses.replace(plain, ema=True), plain)
    )
    assert first.image == again.image == done(Engine.open(wish().model).run(wish()))[0].image
    assert distance(first.image, averaged.image) > 1
    assert (first.recipe.ema, averaged.recipe.ema, again.recipe.ema) == (False, True, False)


def test_a_prompt_is_read_once(engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = TextEncoder.forward

    def forward(self: TextEncoder, ids: Tensor, **how: Any) -> Tensor:
        calls.append(len(ids))
        return real(self, ids, **how)

    monkeypatch.setattr(TextEncoder, "forward", forward)
    for seed in range(3):
        list(engine.run(wish(prompt="never seen", negative="nor this", seed=seed, count=2)))
    assert calls == [1, 1]


# Sizes


@pytest.mark.parametrize(("width", "height"), [(24, 40), (8, 8), (136, 8), (16, 48)])
def test_sizes_that_the_unet_does_not_take_are_padded_and_cropped(
    engine: Engine, wish: Wish, width: int, height: int
) -> None:
    (image,) = done(engine.run(wish(width=width, height=height)))
    assert (image.image.width, image.image.height) == (width, height)
    (image,) = done(
        engine.run(
            wish(task="img2img", image=photograph(width, height), width=width, height=height)
        )
    )
    assert (image.image.width, image.image.height) == (width, height)


def test_what_the_plan_remarks_is_told(engine: Engine, wish: Wish) -> None:
    said = wish(sampler="ddim", steps=15, negative="a dog", guidance=1.0)
    events = list(engine.run(said))
    assert noted(iter(events)) == list(engine.plan(said)[1].notes)
    assert [type(event) for event in events[:3]] == [Started, Noted, Noted]


def memory_of(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let the device have so many bytes to spare."""
    machine = dataclasses.replace(device.measure("cpu"), memory_free=free)
    monkeypatch.setattr(device, "measure", lambda _: machine)


def test_a_model_that_is_loaded_is_not_too_large_for_the_rest_of_the_memory(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = engine.plan(wish())[1]
    needed = int(plan.peak_bytes / 0.94)
    fresh = Engine.open(engine.model)
    memory_of(monkeypatch, needed)
    first = done(fresh.run(wish()))
    memory_of(monkeypatch, needed - plan.weight_bytes)
    with pytest.raises(DarkroomError, match="to spare"):
        Engine.open(engine.model).plan(wish())
    assert done(fresh.run(wish())) == first


def test_guidance_in_halves_is_carried_out_and_gives_the_same_picture(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    from darkroom.planning import plan

    seen = failing_unet(monkeypatch, rows=2)
    plenty = done(engine.run(wish()))
    assert set(seen) == {2}
    seen.clear()
    needs = plan._needs
    whole = 10**9  # more than there is, for two rows

    def short(work: Any, spec: Any, precision: Any, rows: int = 1) -> int:
        return whole if rows > 1 else needs(work, spec, precision, rows)

    monkeypatch.setattr(plan, "_needs", short)
    memory_of(monkeypatch, whole)
    events = list(engine.run(wish()))
    assert set(seen) == {1}
    assert "one after the other" in noted(iter(events))[0]
    assert distance(done(iter(events))[0].image, plenty[0].image) <= 1


# Prompts


def test_cut_words_are_noted_before_the_first_step(engine: Engine, wish: Wish) -> None:
    said = {"prompt": "cat " * 75 + "the last words", "negative": "dog " * 80}
    events = list(engine.run(wish(**said, prompt_syntax="plain")))
    assert [type(event).__name__ for event in events[:4]] == [
        "Started",
        "Noted",
        "Noted",
        "Stepped",
    ]
    lines = noted(iter(events))
    assert lines[0].startswith("The prompt is too long")
    assert lines[0].endswith(": the last words")
    assert lines[1].startswith("The negative prompt is too long")


# An image to start from


def test_strength_zero_gives_the_image_encoded_and_decoded(engine: Engine, wish: Wish) -> None:
    image = photograph(32, 32)
    events = list(
        engine.run(wish(task="img2img", image=image, strength=0.0, count=2, seed=3, steps=5))
    )
    assert not [event for event in events if isinstance(event, Stepped)]
    first, second = done(iter(events))
    assert first.image == second.image
    networks = engine._load(*engine.plan(wish())).networks
    pixels = torch.tensor(io.read(image).pixels).permute(2, 0, 1)[None] / 127.5 - 1
    colours = networks.autoencoder.decode(networks.autoencoder.encode(pixels))[0]
    expected = (((colours + 1) / 2).clamp(0, 1) * 255).byte().permute(1, 2, 0)
    assert distance(first.image, io.from_array(expected.contiguous().numpy())) <= 1


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "dpm_solver"])
def test_strength_decides_how_much_is_kept(engine: Engine, wish: Wish, sampler: str) -> None:
    def run(strength: float) -> tuple[int, ImageDone]:
        said = wish(
            task="img2img", image=photograph(32, 32), strength=strength, steps=10, sampler=sampler
        )
        events = list(engine.run(said))
        steps = [event.step for event in events if isinstance(event, Stepped)]
        planned = engine.plan(said)[1].steps
        assert steps == [*range(1, planned + 1)]
        assert {event.steps for event in events if isinstance(event, Stepped)} <= {planned}
        return planned, done(iter(events))[0]

    runs = {strength: run(strength) for strength in (0.0, 0.3, 0.75, 1.0)}
    counts = [steps for steps, _ in runs.values()]
    assert counts == sorted(counts)
    assert counts[-1] in {9, 10}
    assert runs[1.0][1].recipe.strength == 1.0
    assert runs[1.0][1].recipe.input_sha256
    for one, two in itertools.combinations(runs.values(), 2):
        assert distance(one[1].image, two[1].image) > 1


def test_a_single_pixel_is_enough(engine: Engine, wish: Wish) -> None:
    (image,) = done(engine.run(wish(task="img2img", image=photograph(1, 1), strength=0.5)))
    assert (image.image.width, image.image.height) == (32, 32)


def test_an_image_is_fitted_to_the_models_size(engine: Engine, wish: Wish) -> None:
    said = wish(task="img2img", image=photograph(300, 150), width=None, height=None, steps=2)
    (image,) = done(engine.run(said))
    assert image.image.width > image.image.height
    assert image.image.width % 8 == image.image.height % 8 == 0
    assert image.image.width * image.image.height <= 1.3 * 64 * 64


def test_img2img_is_the_same_in_any_batch(engine: Engine, wish: Wish) -> None:
    said = {"task": "img2img", "image": photograph(40, 24), "width": 40, "height": 24}
    together = done(engine.run(wish(**said, count=3, batch=3)))
    (alone,) = done(engine.run(wish(**said, seed=9)))
    assert distance(together[2].image, alone.image) <= 1


def test_what_was_done_to_the_image_is_noted(engine: Engine, wish: Wish) -> None:
    grey = np.full((16, 16, 4), 90, np.uint8)
    import io as files

    from PIL import Image

    file = files.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    lines = noted(engine.run(wish(task="img2img", image=file.getvalue())))
    assert any("transparent" in line for line in lines)


def test_no_image_and_no_such_image(engine: Engine, wish: Wish) -> None:
    with pytest.raises(RequestError, match="no image"):
        engine.run(wish(task="img2img"))
    with pytest.raises(ImageError):
        engine.run(wish(task="img2img", image=b"GIF89a, not really"))


# What goes wrong


def test_wishes_are_judged_before_anything_runs(engine: Engine, wish: Wish) -> None:
    with pytest.raises(RequestError, match="500"):
        engine.run(wish(width=500))
    with pytest.raises(RequestError, match="no device"):
        engine.plan(wish(device="cuda:77"))
    with pytest.raises(ValueError, match="not 'mini'"):
        engine.run(wish(model="mini"))
    with pytest.raises(ModelError):
        Engine.open("no-such-model")


def test_closing_cancels_within_a_step(engine: Engine, wish: Wish) -> None:
    calls = 0
    networks = engine._load(*engine.plan(wish())).networks

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    hook = networks.unet.register_forward_hook(count)
    events = engine.run(wish(count=5, batch=1))
    finished = [event for event in itertools.islice(events, 6) if isinstance(event, ImageDone)]
    events.close()
    hook.remove()
    assert [image.index for image in finished] == [0]
    assert calls == 4  # three steps of the first image, one of the second
    assert list(events) == []


def failing_unet(monkeypatch: pytest.MonkeyPatch, rows: int) -> list[int]:
    """Let the U-Net run out of memory for more than `rows` rows; returns the rows it is given."""
    seen: list[int] = []
    real = UNet.forward

    def forward(self: UNet, x: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        seen.append(len(x))
        if len(x) > rows:
            raise FULL
        return real(self, x, timestep, context)

    monkeypatch.setattr(UNet, "forward", forward)
    return seen


def test_full_memory_leads_to_smaller_parts_and_the_same_picture(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = done(engine.run(wish(count=3, batch=3)))
    seen = failing_unet(monkeypatch, rows=1)
    events = list(engine.run(wish(count=3, batch=3)))
    assert seen[:3] == [6, 3, 1]
    assert set(seen[3:]) == {1}
    lines = noted(iter(events))
    assert lines == ["Memory ran out while denoising; going on in smaller parts."] * 2
    scarce = done(iter(events))
    assert max(distance(a.image, b.image) for a, b in zip(plenty, scarce, strict=True)) <= 1


def test_memory_that_holds_nothing_is_explained_and_the_next_run_works(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing_unet(patch, rows=0)
        with pytest.raises(DarkroomError, match="Memory ran out while denoising"):
            list(engine.run(wish()))
    assert len(done(engine.run(wish()))) == 1


def test_full_memory_while_decoding_keeps_the_images_before(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()
    real = Autoencoder.decode

    def decode(self: Autoencoder, latents: Tensor) -> Tensor:
        if next(calls) == 1:
            raise FULL
        return real(self, latents)

    monkeypatch.setattr(Autoencoder, "decode", decode)
    seen: list[Event] = []
    with pytest.raises(DarkroomError, match="decoding the image"):
        seen.extend(engine.run(wish(count=2)))
    monkeypatch.setattr(Autoencoder, "decode", decode)
    assert len(done(engine.run(wish(count=2)))) == 2


def test_full_memory_while_loading_is_explained(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("darkroom.checkpoints.load.load", full)
    with pytest.raises(DarkroomError, match="loading the model"):
        list(Engine.open(engine.model).run(wish()))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_an_error_and_no_black_image(
    engine: Engine, wish: Wish, value: float
) -> None:
    broken = Engine.open(engine.model)
    networks = broken._load(*broken.plan(wish())).networks
    networks.unet.conv_out.weight[0] = value
    events = broken.run(wish())
    seen: list[Event] = []
    with pytest.raises(DarkroomError, match="while denoising") as caught:
        seen.extend(events)
    assert "damaged" in caught.value.hint


def test_numbers_that_break_in_half_precision_are_decoded_in_fp32(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = wish(precision="bf16")
    expected = done(engine.run(half))[0]
    real = Autoencoder.decode
    dtypes: list[torch.dtype] = []

    def decode(self: Autoencoder, latents: Tensor) -> Tensor:
        dtypes.append(latents.dtype)
        out = real(self, latents)
        return out if latents.dtype == torch.float32 else out * float("nan")

    monkeypatch.setattr(Autoencoder, "decode", decode)
    events = list(engine.run(half))
    assert dtypes == [torch.bfloat16, torch.float32]
    told = "Numbers overflowed in bf16 while decoding the image; it was done in fp32."
    assert noted(iter(events))[-1] == told
    assert distance(done(iter(events))[0].image, expected.image) <= 8
    monkeypatch.undo()
    assert done(engine.run(half))[0].image == expected.image


def test_numbers_that_break_in_half_precision_are_denoised_in_fp32(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = wish(precision="bf16")
    expected = done(engine.run(half))[0]
    real = UNet.forward
    dtypes: list[torch.dtype] = []

    def forward(self: UNet, x: Tensor, *told: Tensor) -> Tensor:
        dtypes.append(x.dtype)
        out = real(self, x, *told)
        return out * float("nan") if len(dtypes) in {1, 3} else out

    monkeypatch.setattr(UNet, "forward", forward)
    events = list(engine.run(half))
    assert dtypes[:4] == [torch.bfloat16, torch.float32] * 2
    told = "Numbers overflowed in bf16 while denoising; it was done in fp32."
    assert noted(iter(events)).count(told) == 1
    assert distance(done(iter(events))[0].image, expected.image) <= 20  # bf16 itself is 14 away
    monkeypatch.undo()
    assert done(engine.run(half))[0].image == expected.image


def test_numbers_that_break_in_fp32_too_are_an_error(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Autoencoder.decode
    monkeypatch.setattr(Autoencoder, "decode", lambda self, z: real(self, z) * float("nan"))
    for precision in ("fp32", "bf16"):
        with pytest.raises(DarkroomError, match="decoding the image"):
            list(engine.run(wish(precision=precision)))


def test_the_threads_of_the_plan_are_used_and_the_next_plan_has_all_again(
    engine: Engine, wish: Wish
) -> None:
    cores = device.measure("cpu").cores
    list(engine.run(wish()))
    assert torch.get_num_threads() == 1  # so small a network
    assert device.measure("cpu").cores == cores == torch.get_num_threads()
