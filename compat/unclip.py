"""The demonstration of unCLIP in Stability-AI/stablediffusion: variations of images."""

import argparse
from pathlib import Path

from compat import demos, reference
from darkroom.contracts import Request
from darkroom.errors import RequestError
from darkroom.images import io

MODELS = {
    "Stable unCLIP-L": "checkpoints/sd21-unclip-l.ckpt",
    "Stable unOpenCLIP-H": "checkpoints/sd21-unclip-h.ckpt",
}
KARLO = "Full Karlo"
_SAMPLERS = {"DDIM": "ddim", "DPM": "dpm_solver"}
_MIXED = 50  # the noise on a mixture of images, where none is said


def parser(description: str | None) -> argparse.ArgumentParser:
    """Every flag, called as the widgets are in the demonstration's code."""
    made = demos.bare(
        description,
        "stable-unclip",
        steps=20,
        scale=10.0,
        seed=42,
        prompt="a professional photograph",
    )
    add = made.add_argument
    add("--version", choices=[*MODELS, KARLO], default=next(iter(MODELS)), help="kind of model")
    add("--ckpt", help="the model, if it is not in its place")
    add("--use_karlo", action="store_true", help="images from a prompt, by Karlo's prior")
    add("--images", nargs="*", default=[], help="images to mix in")
    add("--weights", nargs="*", type=float, default=[], help="of all images, the first included")
    add("--noise_level", type=int, help="on what CLIP saw; else 0, and 50 where images are mixed")
    add("--negative_prompt", default="", help="what the image should not show")
    add("--number_rows", type=int, default=2, help="rows of the grid, one after another")
    add("--number_cols", type=int, default=2, help="images in a row, made at once")
    add("--eta", type=float, default=0.0, help="fresh noise in each step of DDIM")
    add("--force_full_precision", action="store_true", help="compute in float32")
    add("--H", type=int, default=768, help="height of the image")
    add("--W", type=int, default=768, help="width of the image")
    add("--sampler", choices=list(_SAMPLERS), default="DDIM", help="sampler")
    return made


def run(options: argparse.Namespace) -> None:
    """Images of what CLIP saw in an image or several, without a watermark, and their grid."""
    for flag in ("number_rows", "number_cols"):
        if getattr(options, flag) not in range(1, 11):
            raise RequestError(
                f"--{flag} {getattr(options, flag)} is out of range.", "Choose from 1 to 10."
            )
    demos.make_or_show(
        options,
        _wish(options),
        Path(options.outdir, options.version),
        columns=options.number_cols,
        digits=(9, 6),
    )


def _wish(options: argparse.Namespace) -> Request:
    sampler = _SAMPLERS[options.sampler]
    noise_level = options.noise_level
    if noise_level is None:
        noise_level = _MIXED if options.images else 0
    return Request(
        task="vary",
        image=demos.start_image(options.image),
        images=tuple(io.readable_bytes(Path(file)) for file in options.images),
        image_weights=tuple(options.weights),
        noise_level=noise_level,
        prompt=options.prompt,
        negative=options.negative_prompt,
        prompt_syntax="plain",
        model=MODELS[options.version] if options.ckpt is None else options.ckpt,
        steps=options.steps,
        sampler=sampler,
        guidance=options.scale,
        eta=options.eta if sampler == "ddim" else None,
        width=options.W,
        height=options.H,
        seed=options.seed,
        count=options.number_rows * options.number_cols,
        batch=options.number_cols,
        precision="fp32" if options.force_full_precision else None,
        device=reference.device(),
        watermark=False,
    )
