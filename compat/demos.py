"""What the demonstrations of Stability-AI/stablediffusion share, which show pages there.

Until there is such a page they run from flags, called as the widgets are in their code.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compat import reference, version_2
from darkroom.contracts import Request, Task
from darkroom.errors import RequestError
from darkroom.images import io

OUTDIR = "outputs/demo"
_MULTIPLE = 8  # of the sizes that are made
_EPILOG = "There is no page yet: name the image with --image, and its settings as flags."


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
    return made


def parsed(made: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """As `streamlit run SCRIPT -- CONFIG CKPT` has it, a first `--` is no end of the flags."""
    said = list(sys.argv[1:] if arguments is None else arguments)
    return made.parse_args(said[1:] if said[:1] == ["--"] else said)


def depth2img(options: argparse.Namespace) -> None:
    """Images of the same depths, and the map of these.  Sizes become multiples of 8."""
    wish = _wish(options, "depth2img", strength=options.strength, **_size(options))
    _carry_out(options, wish)


def inpaint(options: argparse.Namespace) -> None:
    """Images that are new where the mask is white, and unchanged elsewhere."""
    mask = None if options.mask is None else io.readable_bytes(Path(options.mask))
    _carry_out(options, _wish(options, "inpaint", mask=mask, **_size(options)))


def upscale(options: argparse.Namespace) -> None:
    """Images four times as wide and high."""
    _carry_out(options, _wish(options, "upscale", noise_level=options.noise_level))


def start_image(file: str | None) -> bytes:
    """The file of --image.  RequestError where none is named, ImageError where it is none."""
    if file is None:
        raise RequestError(
            "There is no page for the browser yet, and no image is named.",
            "Name it: --image FILE; --help lists the other flags.",
        )
    return io.readable_bytes(Path(file))


def _size(options: argparse.Namespace) -> dict[str, int]:
    """The image's own, where an engine's default would be the model's."""
    data = start_image(options.image)
    height, width, _ = io.read(data).pixels.shape
    return {
        "width": max(width - width % _MULTIPLE, _MULTIPLE),
        "height": max(height - height % _MULTIPLE, _MULTIPLE),
    }


def _wish(options: argparse.Namespace, task: Task, **own: Any) -> Request:
    """What the demonstrations say alike; they sample with DDIM."""
    return Request(
        task=task,
        image=start_image(options.image),
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


def _carry_out(options: argparse.Namespace, wish: Request) -> None:
    reference.carry_out([wish], Path(options.outdir), columns=None)
