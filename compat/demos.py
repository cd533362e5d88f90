"""What the demonstrations of Stability-AI/stablediffusion share, which show pages.

Without an image they open Darkroom's page on their task, with the model and the settings; with one
they run from flags, called as the widgets are in their code.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from compat import reference, version_2
from darkroom.contracts import Request, Task
from darkroom.images import io

OUTDIR = "outputs/demo"
_MULTIPLE = 8  # of the sizes that are made
_EPILOG = (
    "Without --image Darkroom's page opens on this task, with the model and these settings; the "
    "image is chosen there."
)
# What the page takes over; images are chosen there.
_SAID = (
    "task",
    "prompt",
    "negative",
    "prompt_syntax",
    "steps",
    "sampler",
    "guidance",
    "eta",
    "seed",
    "count",
    "strength",
    "noise_level",
    "prediction",
)


def parser(
    description: str | None,
    name: str,
    *,
    num_samples: int,
    steps: int,
    scale: float,
    seed: int | None,
    prompt: str = "",
) -> argparse.ArgumentParser:
    """The flags that all demonstrations with a configuration have; `name`: of the output folder."""
    made = bare(description, name, steps=steps, scale=scale, seed=seed, prompt=prompt)
    add = made.add_argument
    add("config", help="the model's configuration, which need not exist under a name of theirs")
    add("ckpt", help="the model")
    add("--num_samples", type=int, default=num_samples, help="images, made at once")
    return made


def bare(
    description: str | None, name: str, *, steps: int, scale: float, seed: int | None, prompt: str
) -> argparse.ArgumentParser:
    """The flags that every demonstration has."""
    made = argparse.ArgumentParser(
        description=description,
        epilog=_EPILOG,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("--image", "--input_image", help="the image to start from")
    add("--prompt", default=prompt, help="what the image should show")
    add("--steps", "--ddim_steps", type=int, default=steps, help="steps")
    add("--scale", type=float, default=scale, help="guidance")
    add("--seed", type=int, default=seed, help="of the first image; the next has 1 more")
    add("--outdir", default=f"{OUTDIR}/{name}", help="output folder")
    add("--port", type=int, help="of the page; a free one if none is said")
    add("--no-browser", action="store_true", help="print the page's address and do not open it")
    return made


def parsed(made: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """As `streamlit run SCRIPT -- CONFIG CKPT` has it, a first `--` is no end of the flags."""
    said = list(sys.argv[1:] if arguments is None else arguments)
    return made.parse_args(said[1:] if said[:1] == ["--"] else said)


def depth2img(options: argparse.Namespace) -> None:
    """Images of the same depths, and the map of these.  Sizes become multiples of 8."""
    image = start_image(options.image)
    made = _wish(options, image, "depth2img", strength=options.strength, **_size(image))
    make_or_show(options, made, Path(options.outdir))


def inpaint(options: argparse.Namespace) -> None:
    """Images that are new where the mask is white, and unchanged elsewhere."""
    image = start_image(options.image)
    mask = None if options.mask is None else io.readable_bytes(Path(options.mask))
    made = _wish(options, image, "inpaint", mask=mask, **_size(image))
    make_or_show(options, made, Path(options.outdir))


def upscale(options: argparse.Namespace) -> None:
    """Images four times as wide and high."""
    image = start_image(options.image)
    made = _wish(options, image, "upscale", noise_level=options.noise_level)
    make_or_show(options, made, Path(options.outdir))


def start_image(file: str | None) -> bytes | None:
    """The file of --image, None where none is named; ImageError where it is none."""
    return None if file is None else io.readable_bytes(Path(file))


def make_or_show(options: argparse.Namespace, wish: Request, folder: Path, **how: Any) -> None:
    """Make the images; without one to start from, open the page on this wish, until Ctrl-C.

    `how`: as `reference.carry_out` takes it.
    """
    if wish.image is not None:
        reference.carry_out([wish], folder, **{"columns": None, **how})
        return
    from darkroom.cli import serve

    said = {name: getattr(wish, name) for name in _SAID}
    unsaid = {field.name: field.default for field in fields(Request)}
    query = {name: value for name, value in said.items() if value != unsaid[name]}
    query |= {"task": wish.task, "model": serve.named(wish.model)}
    serve.serve(page=f"create?{urlencode(query)}", port=options.port, no_browser=options.no_browser)


def _size(image: bytes | None) -> dict[str, int]:
    """The image's own, where an engine's default would be the model's."""
    if image is None:
        return {}
    height, width, _ = io.read(image).pixels.shape
    return {
        "width": max(width - width % _MULTIPLE, _MULTIPLE),
        "height": max(height - height % _MULTIPLE, _MULTIPLE),
    }


def _wish(options: argparse.Namespace, image: bytes | None, task: Task, **own: Any) -> Request:
    """What the demonstrations say alike; they sample with DDIM."""
    return Request(
        task=task,
        image=image,
        prompt=options.prompt,
        prompt_syntax="plain",
        model=options.ckpt,
        steps=options.steps,
        sampler="ddim",
        guidance=options.scale,
        eta=options.eta,
        seed=options.seed,
        count=options.num_samples,
        batch=options.num_samples,
        prediction=version_2.predicted(options.config, options.ckpt),
        device=reference.device(),
        **own,
    )
