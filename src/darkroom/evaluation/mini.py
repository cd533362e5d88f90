"""Measures Mini: 240 fixed prompts, each image judged.

python -m darkroom.evaluation.mini --judge tests/data/judge.npz --json report.json
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import darkroom
from darkroom import api
from darkroom.errors import DarkroomError
from darkroom.evaluation.judge import COLOURS, UNICODE_NAMES, Judge, Verdict
from darkroom.images import io as files
from darkroom.images import provenance

REPEATS = 5  # prompts for each object: 5 × 48 = 240


@dataclass(frozen=True)
class Trial:
    """One prompt and what the judge must see."""

    prompt: str
    seed: int
    object: str
    background: str


@dataclass(frozen=True)
class Report:
    """Parts of the prompts, in 0…1, in which the judge saw what was asked for."""

    prompts: int
    object: float
    background: float
    both: float
    misses: tuple[str, ...]


def suite(repeats: int = REPEATS) -> tuple[Trial, ...]:
    """The fixed prompts: every object `repeats` times, on different backgrounds, seeds varied."""
    dice = random.Random(20_221_120)
    trials = []
    for name in UNICODE_NAMES:
        for colour in dice.sample(list(COLOURS), repeats):
            prompt = f"{_article(name)}{name} on {_article(colour)}{colour} background"
            trials.append(Trial(prompt, dice.randrange(2**32), name, colour))
    return tuple(trials)


def images(model: api.Model, trials: tuple[Trial, ...]) -> Iterator[NDArray[np.uint8]]:
    """One image [H, W, 3] for each trial, with the model's own defaults."""
    for trial in trials:
        yield np.asarray(model.txt2img(trial.prompt, seed=trial.seed).pil)


def score(trials: tuple[Trial, ...], verdicts: list[Verdict]) -> Report:
    """How often the judge saw what was asked for."""
    pairs = list(zip(trials, verdicts, strict=True))
    objects = [verdict.object == trial.object for trial, verdict in pairs]
    backgrounds = [verdict.background == trial.background for trial, verdict in pairs]
    return Report(
        prompts=len(pairs),
        object=float(np.mean(objects)),
        background=float(np.mean(backgrounds)),
        both=float(np.mean(np.logical_and(objects, backgrounds))),
        misses=tuple(
            f"{trial.prompt} (seed {trial.seed}): saw {verdict.object} on {verdict.background}"
            for (trial, verdict), right, ground in zip(pairs, objects, backgrounds, strict=True)
            if not (right and ground)
        ),
    )


def contact_sheet(pictures: list[NDArray[np.uint8]], columns: int) -> Image.Image:
    """Images of one size side by side, in order, at twice their size: 64 pixels are few today."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (columns * width, rows * height))
    for place, picture in enumerate(pictures):
        y, x = divmod(place, columns)
        canvas.paste(Image.fromarray(picture), (x * width, y * height))
    return canvas.resize((2 * canvas.width, 2 * canvas.height), Image.Resampling.LANCZOS)


def _article(word: str) -> str:
    if word in {"cherries", "grapes"}:
        return ""
    return "an " if word[0] in "aeio" else "a "


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--judge", type=Path, required=True, help="the judge's templates")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--sheet", type=Path, help="write one image of every object here")
    limits = range(1, len(COLOURS) + 1)
    parser.add_argument("--repeats", type=int, choices=limits, default=REPEATS, metavar="N")
    given = parser.parse_args()
    try:
        trials, judge = suite(given.repeats), Judge.from_file(given.judge)
        pictures = list(images(api.load(given.model), trials))
    except DarkroomError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
    report = score(trials, [judge.judge(picture) for picture in pictures])
    text = json.dumps(asdict(report), indent=2)
    sys.stdout.write(text + "\n")
    if given.json:
        given.json.write_text(text + "\n")
    if given.sheet:
        sheet = files.from_pil(contact_sheet(pictures[:: given.repeats], 8))
        mark = provenance.new_mark(darkroom.__version__)
        files.write_atomic(given.sheet, files.encode(sheet, mark=mark), overwrite=True)


if __name__ == "__main__":
    main()
