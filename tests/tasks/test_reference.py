"""The whole way against the reference's arithmetic, written out by hand for ten DDIM steps."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from darkroom.checkpoints.load import Networks
from darkroom.contracts import ImageDone, Request
from darkroom.images import io, provenance
from darkroom.tasks.engine import Engine
from darkroom.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint

STEPS, SCALE, SEED = 10, 7.5, 5
BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ALPHAS = torch.cumprod(1 - BETAS, 0)
GRID = [1, 101, 201, 301, 401, 501, 601, 701, 801, 901]


@pytest.fixture(scope="module")
def engine(tiny_checkpoint: "TinyCheckpoint") -> Engine:
    return Engine.open(str(tiny_checkpoint.safetensors))


def wish(engine: Engine, **said: object) -> Request:
    settled: dict[str, object] = {
        "model": engine.model,
        "prompt": "a cat",
        "negative": "a dog",
        "sampler": "ddim",
        "steps": STEPS,
        "guidance": SCALE,
        "seed": SEED,
        "width": 48,
        "height": 32,
        "device": "cpu",
        "precision": "fp32",
    }
    return Request(**{**settled, **said})  # type: ignore[arg-type]


def made(engine: Engine, request: Request) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    (done,) = [event for event in engine.run(request) if isinstance(event, ImageDone)]
    return io.to_array(done.image).astype(np.int16)


def networks(engine: Engine) -> Networks:
    return engine._load(*engine.plan(wish(engine))).networks


def noise() -> Tensor:
    return torch.randn(4, 4, 6, generator=torch.Generator().manual_seed(SEED))[None]


def ddim(nets: Networks, x: Tensor, first: int) -> Tensor:
    """`p_sample_ddim` from grid index `first` down, in the reference's own space."""
    tokens = Tokenizer.clip()
    cond, uncond = (
        nets.text_encoder(torch.tensor([tokens.chunk(text).ids])) for text in ("a cat", "a dog")
    )
    for index in reversed(range(first + 1)):
        t = torch.tensor([float(GRID[index])])
        a = ALPHAS[GRID[index]].float()
        a_prev = ALPHAS[GRID[index - 1] if index else 0].float()
        without, along = nets.unet(x, t, uncond), nets.unet(x, t, cond)
        eps = without + SCALE * (along - without)
        x0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
        x = a_prev.sqrt() * x0 + (1 - a_prev).sqrt() * eps
    return x


def picture(nets: Networks, z: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    colours = nets.autoencoder.decode(z / 0.18215)[0].permute(1, 2, 0).numpy()
    clamped = np.clip((colours + 1) / 2, 0, 1)
    return (255.0 * clamped).astype(np.uint8).astype(np.int16)


def test_txt2img(engine: Engine) -> None:
    nets = networks(engine)
    expected = picture(nets, ddim(nets, noise(), STEPS - 1))
    assert expected.std() > 20
    assert np.abs(made(engine, wish(engine)) - expected).max() <= 1


def test_img2img(engine: Engine, tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :48]
    pixels = np.stack([x * 5, y * 7, (x > y) * 255], -1).astype(np.uint8)
    path = tmp_path / "input.png"
    path.write_bytes(io.encode(io.from_array(pixels), "png", mark=provenance.new_mark("")))

    nets = networks(engine)
    colours = torch.tensor(pixels).permute(2, 0, 1)[None] / 255.0 * 2 - 1
    z = 0.18215 * nets.autoencoder.encode(colours)
    encoded = int(0.75 * STEPS)  # 7: noised for grid index 7, first evaluated at index 6
    a = ALPHAS[GRID[encoded]].float()
    start = a.sqrt() * z + (1 - a).sqrt() * noise()
    expected = picture(nets, ddim(nets, start, encoded - 1))

    said = wish(engine, task="img2img", image=path.read_bytes(), strength=0.75)
    assert np.abs(made(engine, said) - expected).max() <= 1
