"""All stages in order, with tiny networks and a painter that needs no font."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.load import load
from darkroom.training import cache, crops, mini
from darkroom.training.autoencoder import new_autoencoder, normalise_latents, psnr
from darkroom.training.forecast import forecast
from darkroom.training.loop import Budget, Paused
from darkroom.training.mini import Run, make
from tests.training.brush import AUTOENCODER, Brush, tiny_recipe


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "Painter", Brush)
    monkeypatch.setattr(mini, "Painter", Brush)
    monkeypatch.setattr(crops, "Painter", Brush)
    monkeypatch.setattr(mini, "CHECKED", 6)
    monkeypatch.setattr(mini, "PROMPTS", ("a cat on a red background",))


@pytest.fixture
def run_in(tmp_path: Path) -> Callable[..., Run]:
    def run(name: str, *, steps: int | None = None, start: Path | None = None) -> Run:
        return Run(
            state=tmp_path / name,
            recipe=tiny_recipe(),
            objects=4,
            device=torch.device("cpu"),
            budget=Budget(steps=steps),
            say=lambda _: None,
            start=start,
        )

    return run


def test_stages_interrupted_anywhere_make_the_same_file(run_in: Callable[..., Run]) -> None:
    whole = make(run_in("whole")).read_bytes()
    for _ in range(5):  # 12 steps in all: every stage is broken off once
        with pytest.raises(Paused):
            make(run_in("parts", steps=2))
    finished = make(run_in("parts"))
    assert finished.read_bytes() == whole
    assert make(run_in("parts", steps=0)) == finished  # nothing is left to do


def test_the_file_is_a_model_that_knows_its_words(run_in: Callable[..., Run]) -> None:
    path = make(run_in("state"))
    spec = detect(read_header(path), path)
    assert (spec.native_width, spec.native_height) == (128, 128)
    assert spec.prediction == "v" and spec.zero_terminal_snr and spec.demonstration
    assert {"hamster", "blue", "left", "two"} <= set(spec.words)
    assert "guitar" not in spec.words

    # More objects may be learnt from there: the autoencoder stays.
    more = make(run_in("more", start=path))
    old, new = (
        load(detect(read_header(file), file), precision="fp32", device="cpu")
        for file in (path, more)
    )
    encoders = (networks.autoencoder.encoder.parameters() for networks in (old, new))
    for a, b in zip(*encoders, strict=True):
        assert torch.equal(a, b)


def test_the_forecast_names_what_is_left(run_in: Callable[..., Run]) -> None:
    lines = list(forecast(run_in("state")))
    assert [line.split(":")[0] for line in lines[:-1]] == [
        "autoencoder",
        "decoder",
        "text encoder",
        "large",
        "all",
    ]
    make(run_in("state"))
    assert len(list(forecast(run_in("state")))) == 1


@torch.no_grad()
def test_normalising_latents_changes_their_size_and_nothing_that_is_decoded() -> None:
    model = new_autoencoder(AUTOENCODER, seed=1)
    torch.nn.init.normal_(model.decoder.conv_out.weight)
    pixels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = model.decode(model.encode(pixels))
    normalise_latents(model, pixels, 0.18215)
    assert abs(float(model.encode(pixels).std()) * 0.18215 - 1) < 1e-4
    assert psnr(model.decode(model.encode(pixels)), before) > 80


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA card")
def test_a_card_runs_every_stage(run_in: Callable[..., Run]) -> None:
    path = make(replace(run_in("card"), device=torch.device("cuda")))
    assert detect(read_header(path), path).demonstration
