"""What the commands of Stability-AI/stablediffusion share: Stable Diffusion 2."""

import argparse
from dataclasses import replace
from pathlib import Path

from compat import reference
from darkroom.checkpoints import prediction
from darkroom.contracts import Precision, Prediction, Request
from darkroom.errors import RequestError
from darkroom.tasks import judging

CONFIG = "configs/stable-diffusion/v2-inference.yaml"


def parser(
    description: str | None, *, prompt: str, outdir: str, n_iter: int, n_samples: int
) -> argparse.ArgumentParser:
    """The flags of txt2img and img2img, with the defaults in which they differ."""
    made = reference.shared(
        description,
        prompt=prompt,
        outdir=outdir,
        n_iter=n_iter,
        n_samples=n_samples,
        scale=9.0,
        seed=42,
        ckpt=None,
    )
    reference.add_makers(made, CONFIG)
    return made


def txt2img(options: argparse.Namespace) -> None:
    """Images from a prompt.  Where --device is not said it is the CPU, as there."""
    reference.check_counts(options, "repeat")
    sampler = "plms" if options.plms else "dpm_solver" if options.dpm else "ddim"
    wish = replace(
        _wish(options, sampler, options.steps),
        width=options.W,
        height=options.H,
        device=options.device,
        precision="bf16" if options.bf16 else _precision(options),
    )
    _carry_out(options, wish, repeat=options.repeat)


def img2img(options: argparse.Namespace) -> None:
    """Images from an image of nearly the same size."""
    wish = _wish(options, "ddim", options.ddim_steps)
    _carry_out(options, reference.from_image(wish, options, multiple=64))


def predicted(config: str, ckpt: str) -> Prediction | None:
    """What the configuration of a model says, None where the model itself shall.

    The default of txt2img and img2img says eps, as it is for half of the models only: where there
    is no such file, it is no word.

    Raises ModelError: there is no such model, or the configuration contradicts it.
    """
    if config == CONFIG and not Path(config).exists():
        return None
    spec = judging.spec_of(ckpt)
    said, _ = prediction.from_config(
        Path(config),
        family=spec.family,
        task=spec.task,
        channels=spec.unet.in_channels,
        source=spec.name,
    )
    return said


def _wish(options: argparse.Namespace, sampler: str, steps: int) -> Request:
    """What both commands say alike."""
    if options.ckpt is None:
        raise RequestError("There is no model.", "Name it: --ckpt FILE.")
    return Request(
        model=options.ckpt,
        prompt_syntax="plain",
        steps=steps,
        sampler=sampler,
        guidance=options.scale,
        eta=options.ddim_eta if sampler != "dpm_solver" else None,
        prediction=predicted(options.config, options.ckpt),
        precision=_precision(options),
        device=reference.device(),
    )


def _precision(options: argparse.Namespace) -> Precision | None:
    return "fp32" if options.precision == "full" else None


def _carry_out(options: argparse.Namespace, wish: Request, *, repeat: int = 1) -> None:
    reference.carry_out(
        reference.requests(options, wish, repeat=repeat),
        Path(options.outdir),
        columns=options.n_rows if options.n_rows > 0 else options.n_samples,
    )
