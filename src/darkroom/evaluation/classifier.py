"""The judge's second part: a small network that says which object a crop shows, or none.

It learns from crops that it composes itself, shape above all: shuffled, blended and smeared
glyphs are examples of *nothing*, so that the right colours in the right outline do not suffice.

    python -m darkroom.evaluation.classifier --out src/darkroom/evaluation/classifier.safetensors

Letters: B batch, N classes, S side of a crop in pixels.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.errors import DarkroomError
from darkroom.evaluation.glyphs import Glyphs, find_font, shapes
from darkroom.evaluation.vocabulary import COLOURS

SIDE = 48  # pixels of a crop
MARGIN = 1.25  # a crop's side, in sides of the object
NOTHING = "nothing"
SEED = 7_340_033
BATCH = 64
STEPS = 4_000
_WIDTHS = (32, 64, 96, 128)


class Classifier(nn.Module):
    """Crops [B, 3, S, S] in 0…1 to logits [B, N], of which the last is *nothing*."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1),
                nn.GroupNorm(8, width),
                nn.SiLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.GroupNorm(8, width),
                nn.SiLU(),
            ]
            before = width
        self.body = nn.Sequential(*layers)
        places = (SIDE // 2 ** len(_WIDTHS)) ** 2
        # The places are kept: where the ears are tells a bear from a mouse.
        self.head = nn.Sequential(
            nn.Conv2d(before, 32, 1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(32 * places, len(self.names) + 1),
        )

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(crops * 2 - 1))
        return logits

    @torch.no_grad()
    def names_of(self, crops: Tensor) -> list[str | None]:
        """What each crop [B, 3, S, S] shows; None for nothing known."""
        best = self(crops).argmax(dim=1).tolist() if len(crops) else []
        return [self.names[place] if place < len(self.names) else None for place in best]

    @classmethod
    def from_file(cls, path: Path) -> "Classifier":
        """Read what `save` wrote."""
        try:
            with safe_open(path, framework="pt") as file:
                network = cls(json.loads(file.metadata()["names"]))
            network.load_state_dict(load_file(path))  # which widens fp16
        except (OSError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
            raise DarkroomError(f"{path} is no classifier of the judge ({error}).") from error
        return network.requires_grad_(False).eval()

    def save(self, path: Path) -> None:
        """Write the weights as fp16 safetensors, the names in their metadata."""
        state = {key: value.half().contiguous() for key, value in self.state_dict().items()}
        save_file(state, path, metadata={"names": json.dumps(self.names), "license": "Apache-2.0"})


class Crops:
    """Endless labelled crops: every glyph and shape, and what must not pass for one."""

    def __init__(self, glyphs: Glyphs, generator: torch.Generator) -> None:
        drawn = shapes(glyphs.pictures.shape[-1])
        self.names = (*glyphs.names, *drawn.names)
        self._objects = len(glyphs.names)
        self._pictures = torch.cat([glyphs.pictures, drawn.pictures])
        self._generator = generator

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Crops [B, 3, S, S] and labels [B]; every fifth shows nothing."""
        label = torch.randint(len(self.names), (size,), generator=self._generator)
        pictures = self._pictures[label]
        drawn = (label >= self._objects)[:, None, None, None]
        ink = torch.cat([self._colours(size), torch.ones(size, 1)], dim=1)[:, :, None, None]
        pictures = torch.where(drawn, pictures * ink, pictures)
        spoilt = size // 5
        pictures[:spoilt] = self._spoilt(pictures[:spoilt], drawn[:spoilt])
        label[:spoilt] = len(self.names)

        canvas = self._colours(size)[:, :, None, None].expand(-1, -1, SIDE, SIDE)
        neighbours = self._pictures[self._choice(size)]
        aside = self._uniform(size, 0, 2 * torch.pi)
        away = torch.stack([aside.cos(), aside.sin()], dim=1) * self._uniform(size, 1.4, 2)[:, None]
        canvas = _over(canvas, self._placed(neighbours, away), self._uniform(size, 0, 1) < 0.3)
        offset = self._uniform((size, 2), -0.12, 0.12)
        canvas = _over(canvas, self._placed(pictures, offset), torch.ones(size, dtype=torch.bool))
        return self._weathered(canvas), label

    def _placed(self, pictures: Tensor, offset: Tensor) -> Tensor:
        """Pictures on transparent crops, moved by `offset` [B, 2] in half sides of a crop."""
        size = len(pictures)
        scale = MARGIN * self._uniform(size, 0.88, 1.14)
        turn = self._uniform(size, -0.09, 0.09)
        rows = [
            torch.stack([turn.cos() * scale, -turn.sin() * scale, -offset[:, 0] * scale], dim=1),
            torch.stack([turn.sin() * scale, turn.cos() * scale, -offset[:, 1] * scale], dim=1),
        ]
        grid = F.affine_grid(torch.stack(rows, dim=1), [size, 4, SIDE, SIDE], align_corners=False)
        return F.grid_sample(pictures, grid, align_corners=False)

    def _spoilt(self, pictures: Tensor, drawn: Tensor) -> Tensor:
        """Right colours and outlines, wrong insides, in four ways by turns; or nothing at all."""
        size, side = len(pictures), pictures.shape[-1]
        quarters = pictures.unfold(2, side // 4, side // 4).unfold(3, side // 4, side // 4)
        order = torch.randperm(16, generator=self._generator)
        tiles = quarters.flatten(2, 3)[:, :, order].unflatten(2, (4, 4))
        shuffled = tiles.transpose(3, 4).reshape_as(pictures)
        small = F.interpolate(pictures, (5, 5), mode="area")
        smeared = F.interpolate(small, (side, side), mode="bicubic").clamp(0, 1)
        cloud = F.interpolate(torch.rand(size, 3, 5, 5, generator=self._generator), (side, side))
        cloud = F.avg_pool2d(cloud, 9, 1, 4)
        clouded = torch.cat([cloud * pictures[:, 3:], pictures[:, 3:]], dim=1)
        blended = (pictures + self._pictures[self._choice(size)]) / 2
        ways = torch.stack([shuffled, smeared, clouded, blended, torch.zeros_like(pictures)])
        way = torch.arange(size) % len(ways)
        # A shape of one colour, smeared or blended, is still near a shape.
        way = torch.where(drawn.flatten(), 2, way)
        return ways[way, torch.arange(size)]

    def _weathered(self, crops: Tensor) -> Tensor:
        """As an autoencoder and a small place leave them: coarser, softer, noisier, tinted."""
        size = len(crops)
        side = int(torch.randint(20, SIDE + 1, (), generator=self._generator))
        half = size // 2  # the other half stays sharp
        coarse = F.interpolate(crops[half:], (side, side), mode="area")
        coarse = F.interpolate(coarse, (SIDE, SIDE), mode="bicubic")
        crops = torch.cat([crops[:half], coarse])
        tint = self._uniform((size, 3, 1, 1), -0.06, 0.06)
        gain = self._uniform((size, 1, 1, 1), 0.85, 1.1)
        noise = torch.randn(crops.shape, generator=self._generator)
        return (crops * gain + tint + noise * self._uniform((size, 1, 1, 1), 0, 0.04)).clamp(0, 1)

    def _colours(self, size: int) -> Tensor:
        """[B, 3] in 0…1: the named ones, varied, and any."""
        named = torch.tensor(list(COLOURS.values())) / 255
        chosen = named[torch.randint(len(named), (size,), generator=self._generator)]
        varied = chosen + self._uniform((size, 3), -0.08, 0.08)
        free = self._uniform((size, 1), 0, 1) < 0.3
        return torch.where(free, self._uniform((size, 3), 0, 1), varied).clamp(0, 1)

    def _choice(self, size: int) -> Tensor:
        return torch.randint(self._objects, (size,), generator=self._generator)

    def _uniform(self, shape: int | tuple[int, ...], low: float, high: float) -> Tensor:
        size = (shape,) if isinstance(shape, int) else shape
        return low + (high - low) * torch.rand(size, generator=self._generator)


def _over(canvas: Tensor, pictures: Tensor, shown: Tensor) -> Tensor:
    """Premultiplied `pictures` [B, 4, S, S] on `canvas` [B, 3, S, S] where `shown` [B]."""
    pictures = pictures * shown[:, None, None, None]
    return canvas * (1 - pictures[:, 3:]) + pictures[:, :3]


def train(glyphs: Glyphs, steps: int = STEPS, seed: int = SEED) -> Classifier:
    """A classifier of these glyphs and of the drawn shapes, from nothing: ten minutes of a core."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    crops = Crops(glyphs, generator)
    network = Classifier(crops.names)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(1, steps + 1):
        images, labels = crops.batch(BATCH)
        loss = F.cross_entropy(network(images), labels, label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 250 == 0:
            sys.stderr.write(f"step {step} of {steps}, loss {loss.item():.3f}\n")
    return network.requires_grad_(False).eval()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="the weights, as safetensors")
    parser.add_argument("--glyphs", type=Path, help="pictures to learn from (default: the font's)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of {BATCH} crops each")
    given = parser.parse_args()
    torch.set_num_threads(1)
    glyphs = Glyphs.from_file(given.glyphs) if given.glyphs else Glyphs.from_font(find_font())
    train(glyphs, given.steps).save(given.out)


if __name__ == "__main__":
    main()
