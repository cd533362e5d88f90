"""What the commands of the reference repositories share.

The commands run from a checkout and are thin: parse, translate into Requests, call the engine.
"""

import argparse
import itertools
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from darkroom import settings
from darkroom.checkpoints import prediction, safety
from darkroom.cli import failure, outputs, wishes
from darkroom.cli.making import make
from darkroom.cli.progress import progress
from darkroom.contracts import ImageDone, Prediction, Request
from darkroom.errors import ModelError, RequestError
from darkroom.images import io
from darkroom.planning.resolve import MAX_COUNT

CHECKPOINT = "models/ldm/stable-diffusion-v1/model.ckpt"
CONFIG = "configs/stable-diffusion/v1-inference.yaml"
PROMPT = "a painting of a virus monster playing guitar"
_IN_CONFIG = "Write parameterization: eps or v into the model's configuration, below its params."


def parser(
    description: str | None, *, outdir: str, n_iter: int, n_samples: int, scale: float
) -> argparse.ArgumentParser:
    """The flags of CompVis's txt2img and img2img, with the defaults in which they differ."""
    made = shared(
        description, outdir=outdir, n_iter=n_iter, n_samples=n_samples, scale=scale, seed=42
    )
    add_version_1(made)
    add_makers(made, CONFIG)
    made.add_argument("--plms", action="store_true", help="sample with PLMS")
    return made


def shared(
    description: str | None,
    *,
    outdir: str,
    n_iter: int,
    n_samples: int,
    scale: float,
    seed: int | None,
    prompt: str = PROMPT,
    ckpt: str | None = CHECKPOINT,
) -> argparse.ArgumentParser:
    """The flags that all of these commands have, with the defaults in which they differ."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = made.add_argument
    add("--prompt", nargs="?", const=prompt, default=prompt, help="what the image should show")
    add("--outdir", nargs="?", const=outdir, default=outdir, help="output folder")
    add("--ddim_eta", type=float, default=0.0, help="fresh noise in each step of DDIM")
    add("--n_iter", type=int, default=n_iter, help="iterations")
    add("--n_samples", type=int, default=n_samples, help="images a prompt, made at once")
    add("--n_rows", type=int, default=0, help="images in a row of the grid; 0: n_samples")
    add("--scale", type=float, default=scale, help="guidance")
    add("--from-file", help="file of prompts, one a line")
    add("--ckpt", default=ckpt, help="the model")
    add("--seed", type=int, default=seed, help="image j of the whole run has this seed + j")
    add("--precision", choices=["full", "autocast"], default="autocast", help="full: float32")
    return made


def add_version_1(made: argparse.ArgumentParser) -> None:
    """Add the flags that all commands for Stable Diffusion 1 have besides."""
    made.add_argument("--skip_grid", action="store_true", help="save no grid")
    made.add_argument("--skip_save", action="store_true", help="save no single images")
    made.add_argument("--ddim_steps", type=int, default=50, help="steps, of any sampler")


def add_makers(made: argparse.ArgumentParser, config: str) -> None:
    """Add the flags that the repositories of Stable Diffusion's makers have besides."""
    add = made.add_argument
    add("--fixed_code", action="store_true", help="start each iteration from the same noise")
    add("--C", type=int, choices=[4], default=4, help="latent channels")
    add("--f", type=int, choices=[8], default=8, help="pixels a latent")
    add("--config", default=config, help="the model's configuration")


def txt2img(options: argparse.Namespace) -> None:
    """Images from a prompt, with the invisible watermark of the model's makers."""
    if safety.installed() is None:
        print("No safety checker is installed: images are not looked at.", file=sys.stderr)
    sampler = "dpm_solver" if options.dpm_solver else _sampler(options)
    _carry_out(options, replace(_wish(options, sampler), width=options.W, height=options.H))


def img2img(options: argparse.Namespace) -> None:
    """Images from an image of nearly the same size, without a watermark."""
    wish = from_image(_wish(options, _sampler(options)), options, multiple=32)
    _carry_out(options, replace(wish, watermark=False))


def from_image(wish: Request, options: argparse.Namespace, *, multiple: int) -> Request:
    """`wish` for img2img, whose sizes the reference rounds down to a multiple of so much."""
    data = start_image(options)
    height, width, _ = io.read(data, Path(options.init_img).name).pixels.shape
    return replace(
        wish,
        task="img2img",
        image=data,
        strength=options.strength,
        width=max(width - width % multiple, multiple),
        height=max(height - height % multiple, multiple),
    )


def start_image(options: argparse.Namespace) -> bytes:
    """The file of --init-img.  RequestError where none is named, ImageError where it is none."""
    if options.init_img is None:
        raise RequestError("There is no image to start from.", "Name it: --init-img FILE.")
    return io.read_bytes(Path(options.init_img))


def guarded(run: Callable[[], None]) -> int:
    """The exit code of `run`; an error is told on stderr, in two lines."""
    try:
        run()
    except prediction.PredictionError as error:  # these commands have no flag for it
        return failure.tell(ModelError(error.message, _IN_CONFIG))
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 (told, not hidden)
        return failure.tell(error)
    return 0


def requests(options: argparse.Namespace, wish: Request, *, repeat: int = 1) -> tuple[Request, ...]:
    """`wish` for every prompt of every iteration; those of a file `repeat` times each.

    Image j of the whole run has seed + j.  With --fixed_code j begins at 0 again in every chunk
    of --n_samples prompts, so that all of them start from the same noise.
    """
    check_counts(options)
    made: list[Request] = []
    image = 0
    for chunk in _chunks(options, repeat) * options.n_iter:
        seed = options.seed + (0 if options.fixed_code else image)
        for prompt, group in itertools.groupby(chunk):
            count = len(list(group))
            made.append(replace(wish, prompt=prompt, seed=seed, count=count, batch=count))
            seed += count
        image += len(chunk)
    return tuple(made)


def check_counts(options: argparse.Namespace, *flags: str) -> None:
    """RequestError where --n_iter, --n_samples or another of `flags` is out of range."""
    for flag in ("n_iter", "n_samples", *flags):
        if not 1 <= getattr(options, flag) <= MAX_COUNT:
            raise RequestError(
                f"--{flag} {getattr(options, flag)} is out of range.",
                f"Choose from 1 to {MAX_COUNT}.",
            )


def device() -> str | None:
    """Where the reference asks for CUDA: the person's own setting, or the best that is there."""
    said = str(settings.read("device"))
    return None if said == "auto" else said


def _wish(options: argparse.Namespace, sampler: str) -> Request:
    """What both commands say alike."""
    return Request(
        model=options.ckpt,
        prompt_syntax="plain",
        steps=options.ddim_steps,
        sampler=sampler,
        guidance=options.scale,
        eta=options.ddim_eta if sampler != "dpm_solver" else None,
        prediction=_prediction(Path(options.config)),
        precision="fp32" if options.precision == "full" else None,
        device=device(),
    )


def _sampler(options: argparse.Namespace) -> str:
    return "plms" if options.plms else "ddim"


def _prediction(config: Path) -> Prediction | None:
    """What a configuration that exists says; else the checkpoint says it."""
    if config.is_file():
        return prediction.from_yaml(config)[0]
    if config.name != Path(CONFIG).name:
        raise RequestError(f"There is no configuration {config}.", "Leave --config out.")
    return None


def _chunks(options: argparse.Namespace, repeat: int) -> list[list[str]]:
    """The prompts, as many at once as --n_samples says; the last chunk may be shorter."""
    if options.from_file is None:
        return [[options.prompt] * options.n_samples]
    prompts = [line for line in wishes.lines(options.from_file) for _ in range(repeat)]
    starts = range(0, len(prompts), options.n_samples)
    return [prompts[start : start + options.n_samples] for start in starts]


def _carry_out(options: argparse.Namespace, wish: Request) -> None:
    columns = options.n_rows if options.n_rows > 0 else options.n_samples
    carry_out(
        requests(options, wish),
        Path(options.outdir),
        columns=None if options.skip_grid else columns,
        singles=not options.skip_save,
    )


def carry_out(
    wanted: Sequence[Request],
    folder: Path,
    *,
    columns: int | None,
    singles: bool = True,
    digits: tuple[int, int] = (5, 4),
) -> None:
    """Make the images and save them where the reference saves.

    `columns` of the grid, None for no grid.  `singles`: whether each image is saved.  `digits`: of
    the numbers of the images, and of the grids.
    """
    outputs.try_out(folder)
    single, sheet = (f"{{:0{count}}}.png" for count in digits)
    images = []
    with progress(quiet=False) as talk:
        for done in make(wanted, talk, depths=lambda data: _add_depths(data, folder)):
            if singles:
                save(done, folder / "samples", single, r"(\d+)\.png")
            if columns is not None:
                images.append(done)
    if images:
        save(outputs.sheet(images, columns), folder, f"grid-{sheet}", r"grid-(\d+)\.png")
    print(f"Your samples are ready and waiting for you here: \n{folder} \n \nEnjoy.")


def save(
    done: ImageDone, folder: Path, pattern: str, numbered: str, *, file_format: io.Format = "png"
) -> None:
    """Under the number after the highest: nothing is overwritten, also by a second run beside.

    `pattern` takes the number, `numbered` finds it in the name of a file that is there.
    """
    from darkroom.tasks import finish  # loads torch

    _add(finish.encode(done, file_format), folder, pattern, numbered)


def _add_depths(data: bytes, folder: Path) -> None:
    _add(data, folder, "depth-{:04}.png", r"depth-(\d+)\.png")


def _add(data: bytes, folder: Path, pattern: str, numbered: str) -> None:
    io.make_folder(folder)
    found = (re.fullmatch(numbered, file.name) for file in folder.iterdir())
    highest = max((int(match[1]) for match in found if match), default=-1)
    io.write_next(folder, pattern.format, data, first=highest + 1)
