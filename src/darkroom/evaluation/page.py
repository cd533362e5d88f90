"""The report as a page: one file, no script, every image with what was asked and what was seen."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

import darkroom
from darkroom.evaluation.scoring import Answer
from darkroom.images import io as files
from darkroom.images import provenance

THUMBNAIL = 96  # pixels: larger images are shrunk to this side

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: #1c1c1e; background: #fff }
table { border-collapse: collapse } th, td { padding: .2rem 1rem .2rem 0; text-align: right }
th:first-child { text-align: left; font-weight: normal }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr));
  gap: .75rem }
figure { margin: 0; padding: .4rem; border: 2px solid #2e8b57; border-radius: .4rem }
figure.wrong { border-color: #c0392b } img { width: 96px; display: block; margin: auto }
figcaption { font-size: 12px; overflow-wrap: anywhere } figcaption b { font-weight: 600 }
#wrong:checked ~ section figure:not(.wrong) { display: none }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161618 } }
"""


@dataclass(frozen=True)
class SuiteReport:
    """One suite: the figures of the model, and those of the judge on what is truly so.

    `drawings`: on true drawings of the same trials; `reconstructions`: on those after the model's
    autoencoder.  `pictures`: the model's images [H, W, 3], in the order of the answers.
    """

    answers: Sequence[Answer]
    model: Mapping[str, float]
    drawings: Mapping[str, float]
    reconstructions: Mapping[str, float]
    pictures: Sequence[NDArray[np.uint8]] = field(repr=False)


def page(model: str, suites: Mapping[str, SuiteReport], notes: Sequence[str]) -> str:
    """The whole report as HTML."""
    head = f"What {escape(model)} makes of its prompts"
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{head}</title>']
    parts += [f"<style>{_STYLE}</style><h1>{head}</h1><p>All images on this page were made by AI."]
    parts += [f"<p>{escape(note)}" for note in notes]
    parts += ['<p><input type="checkbox" id="wrong"> <label for="wrong">Only what is wrong</label>']
    for name, suite in suites.items():
        parts += ["<section>", f"<h2>{escape(name)}</h2>", _table(suite), '<div class="images">']
        parts += list(_figures(suite))
        parts += ["</div></section>"]
    return "\n".join(parts) + "\n"


def _table(suite: SuiteReport) -> str:
    columns = (suite.model, suite.drawings, suite.reconstructions)
    rows = [
        f"<tr><th>{escape(name)}</th>"
        + "".join(
            f"<td>{column[name]:.1%}</td>" if name in column else "<td>" for column in columns
        )
        for name in suite.model
    ]
    return (
        f"<table><tr><th>of {len(suite.answers)}<th>the model<th>true drawings"
        f"<th>the same, after its autoencoder</tr>{''.join(rows)}</table>"
    )


def _figures(suite: SuiteReport) -> Iterator[str]:
    mark = provenance.new_mark(darkroom.__version__)
    for answer, picture in zip(suite.answers, suite.pictures, strict=True):
        small = _thumbnail(picture)
        encoded = files.encode(files.from_array(small), "webp", mark=mark)
        source = "data:image/webp;base64," + base64.b64encode(encoded).decode()
        missing = [name for name, right in answer.right.items() if not right]
        verdict = "✗ " + ", ".join(missing) if missing else "✓"
        yield (
            f'<figure class="{"wrong" if missing else "right"}">'
            f'<img src="{source}" alt="{escape(answer.trial.prompt)}" loading="lazy">'
            f"<figcaption><b>{escape(verdict)}</b> {escape(answer.trial.prompt)} "
            f"(seed {answer.trial.seed})<br>seen: {escape(answer.saw)}</figcaption></figure>"
        )


def _thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(1.0, THUMBNAIL / max(height, width))
    if scale == 1:
        return picture
    return files.fit(picture, round(width * scale), round(height * scale))
