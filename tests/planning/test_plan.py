"""The forecast against the networks themselves, on the meta device: shapes without arithmetic."""

import functools
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from darkroom.contracts import Machine, ModelSpec, Plan, Request
from darkroom.diffusion.schedule import alphas_cumprod, sigmas, start_from_image
from darkroom.errors import DarkroomError, RequestError
from darkroom.models import autoencoder, text_encoder, unet
from darkroom.names import SAMPLERS
from darkroom.planning.cost import Cost, decoder_cost, encoder_cost, text_cost, unet_cost
from darkroom.planning.plan import Prompts, plan
from darkroom.planning.resolve import resolve
from tests.planning.specs import SMALL, V1

LAPTOP = Machine(
    device="cpu",
    name="a laptop",
    cores=2,
    memory_total=16 * 2**30,
    memory_free=8 * 2**30,
    speed={"fp32": 186e9, "bf16": 792e9},
)
CARD = Machine(
    device="cuda:0",
    name="a graphics card",
    cores=64,
    memory_total=24 * 2**30,
    memory_free=22 * 2**30,
    speed={"fp32": 40e12, "bf16": 120e12, "fp16": 120e12},
)


class Alive(TorchDispatchMode):
    """Counts the values that are alive, beside a network's weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self.sizes = {p.untyped_storage()._cdata: 0 for p in network.parameters()}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, Tensor) and (
                (storage := tensor.untyped_storage())._cdata not in self.sizes
            ):
                self.sizes[storage._cdata] = storage.nbytes() // tensor.element_size()
                self.now += self.sizes[storage._cdata]
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self.forget, storage._cdata)
        return out

    def forget(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


Evaluation = tuple[Cost, nn.Module, Callable[[], Tensor]]


@functools.cache
def evaluations(spec: ModelSpec, height: int, width: int) -> dict[str, Evaluation]:
    """Each network's forecast, and its evaluation on a latent of this size."""
    factor, tokens = spec.autoencoder.factor, spec.text_encoder.context_length
    pixels = height * factor, width * factor
    with torch.device("meta"):
        net = unet.UNet(spec.unet)
        tower = text_encoder.TextEncoder(spec.text_encoder)
        both = autoencoder.Autoencoder(spec.autoencoder)
        latent = torch.empty(1, 4, height, width)
        context = torch.empty(1, tokens, spec.text_encoder.width)
        ids = torch.zeros(1, tokens, dtype=torch.int64)
        image = torch.empty(1, 3, *pixels)
        time = torch.empty(1)
    return {
        "unet": (
            unet_cost(spec.unet, height, width, tokens),
            net,
            lambda: net(latent, time, context),
        ),
        "decoder": (decoder_cost(spec.autoencoder, *pixels), both, lambda: both.decode(latent)),
        "encoder": (encoder_cost(spec.autoencoder, *pixels), both, lambda: both.encode(image)),
        "text": (text_cost(spec.text_encoder), tower, lambda: tower(ids)),
    }


SIZES = [(V1, 64, 64), (V1, 16, 24), (SMALL, 16, 16), (SMALL, 8, 32)]
NETWORKS = ["unet", "decoder", "encoder", "text"]


@pytest.mark.parametrize(("spec", "height", "width"), SIZES)
@pytest.mark.parametrize("network", NETWORKS)
def test_flops_are_what_torch_counts(
    spec: ModelSpec, height: int, width: int, network: str
) -> None:
    forecast, _, evaluate = evaluations(spec, height, width)[network]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        evaluate()
    assert forecast.flops == counter.get_total_flops()


@pytest.mark.parametrize(("spec", "height", "width"), SIZES)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_fullest_moment_is_what_torch_holds(
    spec: ModelSpec, height: int, width: int, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On the meta device torch has no fused attention; the real ones hold no weights of all heads.
    for module in (unet, text_encoder, autoencoder):
        monkeypatch.setattr(module, "attend", lambda q, *_, **__: torch.empty_like(q))
    forecast, net, evaluate = evaluations(spec, height, width)[network]
    with torch.no_grad(), Alive(net) as alive:
        evaluate()
    assert forecast.values == pytest.approx(alive.most, rel=0.1)
    assert forecast.largest <= max(p.numel() for p in net.parameters())


def test_the_published_figures_of_v1() -> None:
    """1.354 TFLOP a guided step and 2.48 a decode, attention's two products not counted."""
    positions = [4096, 1024, 256]
    products = sum(
        4 * tokens * width * layers * (tokens + 77)
        for tokens, width, layers in zip(positions, (320, 640, 1280), (5, 5, 5), strict=True)
    )
    products += 4 * 64 * 1280 * (64 + 77)
    step = unet_cost(V1.unet, 64, 64, 77).flops
    assert 2 * (step - products) == pytest.approx(1.354e12, rel=0.001)
    decode = decoder_cost(V1.autoencoder, 512, 512).flops
    assert decode - 4 * 4096**2 * 512 == pytest.approx(2.48e12, rel=0.001)


def planned(
    spec: ModelSpec = V1, machine: Machine = LAPTOP, *, loaded: int = 0, **wishes: Any
) -> Plan:
    return plan(resolve(Request(**wishes), spec), spec, machine, loaded=loaded)


def test_a_plan_for_a_laptop() -> None:
    got = planned()
    assert (got.device, got.device_name, got.engine) == ("cpu", "a laptop", "torch")
    assert (got.precision, got.batch, got.rows, got.steps) == ("bf16", 1, 2, 20)
    assert got.weight_bytes == 2 * V1.parameters
    assert 2.5e9 < got.peak_bytes < 3.5e9
    assert 40 < got.seconds < 120
    assert got.notes == ()


def test_time_follows_the_work() -> None:
    one = planned().seconds
    assert planned(count=4).seconds == pytest.approx(4 * one, rel=0.01)
    assert planned(steps=40).seconds == pytest.approx(2 * one, rel=0.1)
    assert planned(guidance=1.0).seconds < 0.6 * one
    assert planned(precision="fp32").seconds > 3 * one
    assert planned(width=1024, height=1024).seconds > 4 * one
    assert planned(machine=CARD).seconds < 0.02 * one


def test_every_reading_of_the_image_is_counted() -> None:
    """A model made for inpainting reads what is left of it; all of it where that is noised."""
    nine = replace(V1, task="inpaint", unet=replace(V1.unet, in_channels=9))

    def seconds(spec: ModelSpec, strength: float) -> float:
        request = Request(
            task="inpaint", image=b"x", mask=b"x", steps=4, sampler="euler", strength=strength
        )
        return plan(resolve(request, spec, input_size=(512, 512)), spec, LAPTOP).seconds

    assert seconds(nine, 1.0) == pytest.approx(seconds(V1, 1.0), rel=0.01)
    again = seconds(nine, 0.75) - seconds(V1, 0.75)
    arithmetic = encoder_cost(V1.autoencoder, 512, 512).flops / LAPTOP.speed["bf16"]
    assert arithmetic < again < 3 * arithmetic


def test_memory_follows_the_work() -> None:
    small = planned().peak_bytes
    assert planned(width=1024, height=1024).peak_bytes > small
    assert planned(precision="fp32").peak_bytes == 2 * small
    assert planned(machine=CARD, count=8, batch=8).peak_bytes > small


@pytest.mark.parametrize(
    ("spec", "speed", "precision"),
    [
        (V1, {"fp32": 1e12}, "fp32"),
        (V1, {"fp32": 1e12, "bf16": 2e12}, "bf16"),
        (V1, {"fp32": 1e12, "bf16": 2e12, "fp16": 2e12}, "fp16"),
        (SMALL, {"fp32": 1e12, "bf16": 2e12, "fp16": 2e12}, "fp32"),
    ],
)
def test_precision(spec: ModelSpec, speed: dict[Any, float], precision: str) -> None:
    assert planned(spec, replace(LAPTOP, speed=speed)).precision == precision


def test_the_users_precision_is_obeyed() -> None:
    assert planned(precision="fp32").precision == "fp32"
    got = planned(precision="fp16")
    assert got.precision == "fp16"
    assert "fp16" in got.notes[0]
    assert got.seconds > planned(precision="fp32").seconds


def test_a_small_network_goes_narrow_only_where_memory_is_short() -> None:
    spec = replace(SMALL, parameters=500_000_000)
    assert planned(spec, replace(LAPTOP, memory_free=3 * 2**30)).precision == "fp32"
    assert planned(spec, replace(LAPTOP, memory_free=3 * 2**29)).precision == "bf16"


def test_a_small_network_has_one_thread_to_itself() -> None:
    small, large = planned(SMALL), planned(V1)
    assert (small.threads, large.threads) == (1, LAPTOP.cores)
    alone = planned(SMALL, replace(LAPTOP, cores=1))
    assert small.seconds > alone.seconds  # of the speed of two cores, it has one


def test_batches_keep_a_step_short() -> None:
    assert planned(count=8).batch == 1
    assert planned(machine=CARD, count=100).batch == 8
    assert planned(SMALL, count=100).batch == 8


def test_batches_fit_into_memory() -> None:
    assert planned(count=8, batch=8).batch == 8
    got = planned(machine=replace(LAPTOP, memory_free=3 * 2**30), count=64, batch=64)
    assert 1 < got.batch < 64
    assert got.peak_bytes < 3 * 2**30
    assert f"Memory holds {got.batch} of the 64" in got.notes[0]


def test_guidance_in_halves_where_memory_is_short() -> None:
    # With a narrow autoencoder the U-Net is what needs most.
    tall = replace(V1, autoencoder=replace(V1.autoencoder, widths=(32, 32, 32, 32)))
    whole = planned(tall).peak_bytes
    got = planned(tall, replace(LAPTOP, memory_free=int(whole / 0.95) - 2**20))
    assert (got.batch, got.rows) == (1, 1)
    assert got.peak_bytes < whole
    assert "one after the other" in got.notes[0]


def test_what_cannot_fit_says_what_would() -> None:
    with pytest.raises(RequestError) as caught:
        planned(machine=replace(LAPTOP, memory_free=4 * 2**30), width=2048, height=1024)
    assert caught.value.message == (
        "2048 × 1024 needs 8.0 GiB of memory in bf16, and a laptop has 3.8 GiB to spare."
    )
    assert caught.value.hint.startswith("Ask for 1")
    wanted = caught.value.hint.removeprefix("Ask for ").split(",")[0]
    width, height = (int(side) for side in wanted.split(" × "))
    got = planned(machine=replace(LAPTOP, memory_free=4 * 2**30), width=width, height=height)
    assert got.peak_bytes < 4 * 2**30


@pytest.mark.parametrize(("machine", "hint"), [(LAPTOP, "a smaller model"), (CARD, "use the CPU")])
def test_no_memory_at_all(machine: Machine, hint: str) -> None:
    with pytest.raises(DarkroomError) as caught:
        planned(machine=replace(machine, memory_free=0))
    assert "has 0.0 GiB to spare" in caught.value.message
    assert hint in caught.value.hint


def test_what_is_loaded_already_is_not_asked_for_twice() -> None:
    free = replace(LAPTOP, memory_free=2**30)
    with pytest.raises(DarkroomError):
        planned(machine=free)
    assert planned(machine=free, loaded=2 * V1.parameters).precision == "bf16"


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("strength", [0.0, 0.01, 0.3, 0.75, 1.0])
@pytest.mark.parametrize("steps", [1, 10, 15, 20])
def test_img2img_runs_the_steps_that_are_announced(
    sampler: str, strength: float, steps: int
) -> None:
    wishes: dict[str, Any] = {"task": "img2img", "image": b"x", "strength": strength}
    resolved = resolve(Request(**wishes, sampler=sampler, steps=steps), V1)
    levels = sigmas(resolved.schedule, resolved.passes[0].requested_steps, alphas_cumprod())
    one = torch.zeros(1, 1, 1, 1)
    got = plan(resolved, V1, LAPTOP)
    _, run = start_from_image(sampler, levels, got.steps, one, one)
    assert got.steps == len(run) - 1
    assert any("only encoded and decoded" in note for note in got.notes) == (len(run) == 1)


def test_the_schedules_own_count_is_announced() -> None:
    got = planned(sampler="ddim", steps=15)
    assert got.steps == 16
    assert got.notes == ("The schedule ldm has 16 steps where 15 are asked for.",)


def test_padding_is_announced() -> None:
    assert planned(width=520).notes == ("It is made at 576 × 512 and cropped.",)


@pytest.mark.parametrize(
    ("wishes", "notes"),
    [
        ({"prompt": "a cat", "guidance": 0.0}, ("At guidance 0 the prompt has no effect.",)),
        (
            {"negative": "a dog", "guidance": 1.0},
            ("At guidance 1 the negative prompt has no effect.",),
        ),
        ({"prompt": "a cat", "guidance": 1.0}, ()),
        ({"negative": "a dog", "guidance": 0.0}, ()),
        ({"rescale": 0.5, "guidance": 1.0}, ("At guidance 1 rescale has no effect.",)),
        ({"rescale": 0.5, "guidance": 0.0}, ()),
        (
            {"seed_offset": 1, "noise_scale": 0.9},
            (
                "dpmpp_2m draws no noise in its steps: seed offset has no effect.",
                "dpmpp_2m draws no noise in its steps: noise scale has no effect.",
            ),
        ),
        (
            {"seed_offset": 1, "sampler": "ddim"},
            ("ddim draws no noise in its steps: seed offset has no effect.",),
        ),
        ({"seed_offset": 1, "sampler": "ddim", "eta": 0.5}, ()),
        ({"seed_offset": 1, "sampler": "euler", "churn": 1.0}, ()),
        ({"seed_offset": 1, "sampler": "euler_ancestral"}, ()),
        ({"noise_scale": 0.9, "sampler": "dpmpp_sde"}, ()),
    ],
)
def test_words_without_effect_are_announced(wishes: dict[str, Any], notes: tuple[str, ...]) -> None:
    assert planned(**wishes).notes == notes


def test_two_passes_cost_the_time_and_the_memory_of_both() -> None:
    small, large = planned(steps=10), planned(steps=10, width=1024, height=1024)
    both = planned(steps=10, hires=2, hires_steps=10, hires_enlarger="latent")
    assert (both.steps, both.evaluations) == (20, 40)
    assert both.peak_bytes == large.peak_bytes > small.peak_bytes
    assert both.seconds == pytest.approx(small.seconds + large.seconds, rel=0.05)
    through_pixels = planned(steps=10, hires=2, hires_steps=10)
    assert through_pixels.seconds > both.seconds
    assert planned(steps=10, hires=2).steps == 15


def test_what_cannot_fit_in_two_passes_says_where_to_begin() -> None:
    machine = replace(LAPTOP, memory_free=4 * 2**30)
    with pytest.raises(DarkroomError) as caught:
        planned(machine=machine, hires=4)
    assert caught.value.message.startswith("2048 × 2048 needs")
    side = int(caught.value.hint.removeprefix("Ask for ").split(" ")[0])
    assert side < 512
    assert planned(machine=machine, hires=4, width=side, height=side).peak_bytes < 4 * 2**30


@pytest.mark.parametrize(
    ("prompts", "rows", "evaluations"),
    [
        (Prompts(negative=77, parts=((77, 1.0),)), 2, 40),
        (Prompts(negative=77, parts=((154, 1.0),)), 1, 40),  # of two lengths: one after the other
        (Prompts(negative=77, parts=((77, 1.0), (77, 0.5))), 3, 60),
        (Prompts(negative=77, parts=((77, 1.0), (77, 0.0))), 2, 40),
    ],
)
def test_what_the_unet_has_to_read(prompts: Prompts, rows: int, evaluations: int) -> None:
    got = plan(resolve(Request(), V1), V1, LAPTOP, prompts=prompts)
    assert (got.rows, got.evaluations) == (rows, evaluations)
    assert got.seconds > 0.99 * planned().seconds


def test_guidance_in_part_saves_time() -> None:
    assert planned(guidance_end=0.5).evaluations == 30
    assert planned(guidance_start=0.25, guidance_end=0.5).evaluations == 25
    assert planned(guidance_end=0.5).seconds == pytest.approx(0.75 * planned().seconds, rel=0.05)


def test_plms_evaluates_once_more() -> None:
    ddim, plms = planned(sampler="ddim", steps=1), planned(sampler="plms", steps=1)
    assert plms.seconds - ddim.seconds > 0.5 * (
        planned(sampler="ddim", steps=2).seconds - ddim.seconds
    )
