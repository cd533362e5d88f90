"""The upscaler's stages in order, with tiny networks and a painter that needs no font."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.training import crops, pairs, upscaler
from darkroom.training.loop import Budget, Paused, Schedule
from darkroom.training.pairs import shrunk
from darkroom.training.recipe import X4_PATIENT, UpscalerRecipe
from darkroom.training.upscaler import Run, make
from darkroom.training.upscaler_forecast import forecast
from darkroom.training.upscaling import recoloured
from tests.training.brush import Brush


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (crops, pairs, upscaler):
        monkeypatch.setattr(module, "Painter", Brush)
    monkeypatch.setattr(upscaler, "CHECKED", 3)
    monkeypatch.setattr(pairs, "CHUNK", 4)


def tiny_recipe() -> UpscalerRecipe:
    """Every stage, a few steps of each."""

    def few(steps: int) -> Schedule:
        return Schedule(steps=steps, rate=1e-3, warm_up=2)

    return replace(
        X4_PATIENT,
        autoencoder=replace(X4_PATIENT.autoencoder, widths=(8, 8, 16)),
        unet=replace(X4_PATIENT.unet, widths=(8, 16, 16), context_width=32),
        autoencoder_schedule=few(2),
        crops=(crops.Kind(since=0, side=32, batch=3),),
        pieces=10,
        side=64,
        batch=4,
        unet_schedule=few(3),
        finish_kinds=(crops.Kind(since=0, side=32, batch=4), crops.Kind(since=1, side=64, batch=2)),
        finish_schedule=few(2),
    )


@pytest.fixture
def run_in(tmp_path: Path) -> Callable[..., Run]:
    def run(name: str, *, steps: int | None = None, start: Path | None = None) -> Run:
        return Run(
            state=tmp_path / name,
            recipe=tiny_recipe(),
            device=torch.device("cpu"),
            budget=Budget(steps=steps),
            say=lambda _: None,
            start=start,
            artist=start,
        )

    return run


def test_stages_interrupted_anywhere_make_the_same_file(run_in: Callable[..., Run]) -> None:
    whole = make(run_in("whole")).read_bytes()
    for _ in range(3):  # 7 steps in all: every stage is broken off once
        with pytest.raises(Paused):
            make(run_in("parts", steps=2))
    finished = make(run_in("parts"))
    assert finished.read_bytes() == whole
    assert make(run_in("parts", steps=0)) == finished  # nothing is left to do


def test_the_file_is_an_upscaler_in_the_published_layout(run_in: Callable[..., Run]) -> None:
    path = make(run_in("state"))
    spec = detect(read_header(path), path)
    assert (spec.task, spec.family, spec.prediction) == ("upscale", "sd2", "v")
    assert (spec.unet.in_channels, spec.unet.classes, spec.autoencoder.factor) == (7, 1000, 4)
    assert spec.latent_scale == 0.08333
    assert spec.zero_terminal_snr and spec.demonstration
    assert spec.defaults.guidance == 1

    # Another may begin with its autoencoder, and see what that one leaves in pictures.
    more = make(run_in("more", start=path))
    assert more.read_bytes() != path.read_bytes()


def test_the_forecast_names_what_is_left(run_in: Callable[..., Run]) -> None:
    lines = list(forecast(run_in("state")))
    assert [line.split(":")[0] for line in lines[:-1]] == ["autoencoder", "unet", "finish"]
    make(run_in("state"))
    assert len(list(forecast(run_in("state")))) == 1


def test_small_pictures_stay_where_they_are_and_in_range() -> None:
    ramp = torch.linspace(-1, 1, 64).expand(8, 3, 64, 64)
    small = shrunk(ramp.contiguous(), torch.Generator().manual_seed(0))
    assert small.shape == (8, 3, 16, 16)
    expected = ramp.unflatten(3, (16, 4)).mean(-1)[..., :16, :]
    assert float((small - expected).abs().max()) < 0.03  # neither moved nor brighter
    assert float(((small + 1) * 127.5).frac().sub(0.5).abs().min()) > 0.49  # 8 bits


def test_some_small_pictures_went_through_another_model() -> None:
    seen: list[Tensor] = []

    def redraw(small: Tensor) -> Tensor:
        seen.append(small)
        return torch.zeros_like(small)

    small = shrunk(torch.ones(64, 3, 16, 16), torch.Generator().manual_seed(0), redraw)
    grey = int((small.abs() < 0.01).flatten(1).all(dim=1).sum())
    assert grey == len(seen[0])
    assert 8 <= grey <= 26


def test_other_colours_stay_colours_and_stay_where_they_are() -> None:
    pixels = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pixels[:, :, :4] = 0.25  # a plain part
    other = recoloured(pixels, torch.Generator().manual_seed(1))
    assert float(other.abs().max()) <= 1
    assert float(other[:, :, :4].flatten(2).std(dim=2).max()) < 1e-5
    assert float((other - pixels).abs().mean()) > 0.1
