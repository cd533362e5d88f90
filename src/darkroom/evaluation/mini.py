"""Measures a model of Mini's world: every image judged, beside the judge's own ceilings."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import darkroom
from darkroom import api
from darkroom.checkpoints import catalog
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.load import load
from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError, OutputError, RequestError
from darkroom.evaluation.judge import Judge
from darkroom.evaluation.page import SuiteReport, page
from darkroom.evaluation.scenes import Drawer
from darkroom.evaluation.scoring import ask, figures
from darkroom.evaluation.suites import SUITES, Trial, trials
from darkroom.images import io as files
from darkroom.models.autoencoder import Autoencoder

Pixels = NDArray[np.uint8]
COUNT = 500  # prompts in a suite
REPORT_FILES = ("report.json", "index.html")
START_SIDE = 128  # pixels of the images that img2img starts from; they are fitted to the model


@dataclass(frozen=True)
class Report:
    """What a model makes of its prompts, suite by suite.  `sha256`: of the model's file."""

    model: str
    sha256: str
    suites: Mapping[str, SuiteReport]
    notes: tuple[str, ...]

    def values(self) -> dict[str, object]:
        """The report without its images, for JSON."""
        suites = {
            name: {
                "prompts": len(suite.answers),
                "model": suite.model,
                "drawings": suite.drawings,
                "reconstructions": suite.reconstructions,
                "misses": [
                    {
                        "prompt": answer.trial.prompt,
                        "seed": answer.trial.seed,
                        "wrong": [what for what, right in answer.right.items() if not right],
                        "saw": answer.saw,
                    }
                    for answer in suite.answers
                    if not answer.whole
                ],
            }
            for name, suite in self.suites.items()
        }
        return {
            "model": self.model,
            "sha256": self.sha256,
            "version": darkroom.__version__,
            "suites": suites,
            "notes": self.notes,
        }

    def write(self, folder: Path, *, overwrite: bool = False) -> None:
        """Write `report.json` and `index.html`.  OutputError."""
        files.make_folder(folder)
        told = json.dumps(self.values(), indent=2, ensure_ascii=False) + "\n"
        shown = page(self.model, self.suites, self.notes)
        for name, text in zip(REPORT_FILES, (told, shown), strict=True):
            files.write_atomic(folder / name, text.encode(), overwrite=overwrite)


def keep_reports(folder: Path) -> None:
    """OutputError where a report stands in `folder`: said before the work, not after it."""
    for name in REPORT_FILES:
        if (folder / name).exists():
            raise OutputError(
                f"{folder / name} is there already.", "Name another folder, or say --overwrite."
            )


def evaluate(
    model: str,
    judge: Judge,
    *,
    suites: Sequence[str] = tuple(SUITES),
    count: int = COUNT,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure a model with the first `count` prompts of each suite.

    Suites with words that the model does not know are left out, which the report's notes say.
    `tell` hears how far it is.

    Raises:
        RequestError: no suite is called so.
        ModelError: a model that does not say which words it knows, or none of the judge's objects.
    """
    for name in suites:
        if name not in SUITES:
            known = ", ".join(SUITES)
            raise RequestError(f"There is no suite “{name}”.", f"The suites are: {known}.")
    spec = spec_of(model)
    names = known_objects(spec, judge)
    opened, autoencoder = api.load(model), autoencoder_of(spec)
    drawer, side = Drawer(judge.glyphs), min(spec.native_width, spec.native_height)
    done, notes = {}, []
    for name in suites:
        chosen = trials(name, names, count)
        strange = unknown(spec, chosen)
        if strange or not chosen:
            why = f"does not know {', '.join(strange)}" if strange else "was shown all that it asks"
            notes.append(f"The suite {name} is left out: {spec.name} {why}.")
            tell(notes[-1])
            continue
        pictures = list(_told(images(opened, chosen, drawer), name, len(chosen), tell))
        drawings = [drawer.draw(trial, side) for trial in chosen]
        again = [reconstruction(autoencoder, drawing) for drawing in drawings]
        answers, true, through = (
            [ask(judge, trial, image) for trial, image in zip(chosen, shown, strict=True)]
            for shown in (pictures, drawings, again)
        )
        done[name] = SuiteReport(
            answers, figures(answers), figures(true), figures(through), pictures
        )
    return Report(spec.name, catalog.sha256(spec.path), done, tuple(notes))


def spec_of(model: str) -> ModelSpec:
    """What a model's header says.  ModelError."""
    path = catalog.find(model)
    return detect(read_header(path), path)


def known_objects(spec: ModelSpec, judge: Judge) -> tuple[str, ...]:
    """The judge's objects whose names the model knows.  ModelError where there are too few."""
    words = frozenset(spec.words)
    names = tuple(name for name in judge.glyphs.names if words.issuperset(name.split()))
    if len(names) < 2:
        raise ModelError(
            f"{spec.name} cannot be measured: it does not say that it knows the judge's objects.",
            "This evaluation is for Mini and models of its kind, trained by `darkroom train`.",
        )
    return names


def unknown(spec: ModelSpec, chosen: Sequence[Trial]) -> list[str]:
    """The words of some prompts that a model does not know, sorted."""
    words = {word for trial in chosen for word in trial.prompt.split()}
    return sorted(words - set(spec.words))


def images(model: api.Model, chosen: Sequence[Trial], drawer: Drawer) -> Iterator[Pixels]:
    """One image [H, W, 3] for each trial, with the model's own defaults."""
    for trial in chosen:
        if trial.start is None:
            made = model.txt2img(trial.prompt, seed=trial.seed)
        else:
            start = Image.fromarray(drawer.draw_start(trial, START_SIDE))
            made = model.img2img(start, trial.prompt, strength=trial.strength, seed=trial.seed)
        yield np.asarray(made.pil)


def autoencoder_of(spec: ModelSpec) -> Autoencoder:
    """The model's autoencoder alone, on the CPU."""
    return load(spec, precision="fp32", device="cpu").autoencoder


@torch.no_grad()
def reconstruction(autoencoder: Autoencoder, pixels: Pixels) -> Pixels:
    """What is left of an image [H, W, 3] after encoding and decoding."""
    planes = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 127.5 - 1
    decoded = autoencoder.decode(autoencoder.encode(planes))[0]
    result: Pixels = ((decoded.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()
    return result


def _told(
    made: Iterator[Pixels], suite: str, count: int, tell: Callable[[str], None]
) -> Iterator[Pixels]:
    """The same images; every tenth part of them is told."""
    for number, picture in enumerate(made, 1):
        if number % max(1, count // 10) == 0:
            tell(f"{suite}: {number} of {count} images")
        yield picture
