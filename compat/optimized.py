"""What the commands of basujindal/stable-diffusion share: little memory, weighted prompts.

Memory is planned here, whatever is said: --unet_bs and --turbo change how many images the U-Net
sees at once, and neither what fits nor any image.
"""

import argparse
import csv
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

from compat import reference
from darkroom.cli import outputs, wishes
from darkroom.cli.making import make
from darkroom.cli.progress import progress
from darkroom.contracts import ImageDone, Request
from darkroom.errors import OutputError
from darkroom.images import io
from darkroom.images.io import Format

SAMPLERS = {
    "ddim": ("ddim", None),
    "plms": ("plms", None),
    "heun": ("heun", "normal"),
    "euler": ("euler", "normal"),
    "euler_a": ("euler_ancestral", "normal"),
    "dpm2": ("dpm_2", "normal"),
    "dpm2_a": ("dpm_2_ancestral", "normal"),
    "lms": ("lms", "normal"),
}
_DEVICE = "cuda"
_SEEDS = 1_000_000
_FORMATS: Mapping[str, Format] = {"png": "png", "jpg": "jpeg"}
_LONGEST = 150  # characters of a prompt's folder, the folders above it included
_AT_LEAST = 50  # of them for the prompt, however deep --outdir lies
_BYTES = 240  # of a file name that every system takes
_SIZE = 64  # sizes are rounded down to multiples of it


def parser(description: str | None, *, outdir: str, samplers: list[str]) -> argparse.ArgumentParser:
    """The flags of both commands; the first of `samplers` is the default."""
    made = reference.shared(description, outdir=outdir, n_iter=1, n_samples=5, scale=7.5, seed=None)
    reference.add_version_1(made)
    add = made.add_argument
    add("--device", default=_DEVICE, help="cpu, cuda, cuda:1, …")
    add("--unet_bs", type=int, default=1, help="images that the U-Net sees at once")
    add("--turbo", action="store_true", help="as many images at once as memory and time allow")
    add("--format", choices=["jpg", "png"], default="png", help="format of the images")
    add("--sampler", choices=samplers, default=samplers[0], help="sampler")
    return made


def txt2img(options: argparse.Namespace) -> None:
    """Images from a prompt, without a watermark."""
    _make("txt2img", options, replace(_wish(options), width=options.W, height=options.H))


def img2img(options: argparse.Namespace) -> None:
    """Images from an image of nearly the same size, without a watermark."""
    data = reference.start_image(options)
    height, width, _ = io.read(data, Path(options.init_img).name).pixels.shape
    if options.H is not None and options.W is not None:
        height, width = options.H, options.W
    wish = replace(
        _wish(options),
        task="img2img",
        image=data,
        strength=options.strength,
        width=max(width - width % _SIZE, _SIZE),
        height=max(height - height % _SIZE, _SIZE),
    )
    _make("img2img", options, wish)


def requests(options: argparse.Namespace, wish: Request) -> Iterator[Request]:
    """`wish` for every prompt of every iteration; image j of the whole run has seed + j.

    The prompts of a file come in the order of their letters, --n_samples images of each.
    """
    reference.check_counts(options)
    prompts = [options.prompt]
    if options.from_file is not None:
        prompts = sorted(wishes.lines(options.from_file))
    for index, prompt in enumerate(prompts * options.n_iter):
        seed = options.seed + index * options.n_samples
        yield replace(wish, prompt=prompt, seed=seed, count=options.n_samples)


def folder_of(outdir: Path, prompt: str) -> Path:
    """Where the images of a prompt lie: its words joined, cut where the whole path grows long."""
    name = re.sub(r"[: /\\\x00-\x1f]", "_", prompt)
    name = name[: max(_LONGEST - len(f"{outdir}/"), _AT_LEAST)]
    name = name.encode("utf-8", "replace")[:_BYTES].decode("utf-8", "ignore")
    return outdir / ("_" * len(name) if name in {".", ".."} else name)


def _wish(options: argparse.Namespace) -> Request:
    """What both commands say alike.

    There noise is drawn on the device, so that a seed's image on a CUDA device begins with the
    noise of NVIDIA cards.
    """
    sampler, schedule = SAMPLERS[options.sampler]
    return Request(
        model=options.ckpt,
        prompt_syntax="basujindal",
        steps=options.ddim_steps,
        sampler=sampler,
        schedule=schedule,
        guidance=options.scale,
        eta=options.ddim_eta if sampler in {"ddim", "plms"} else None,
        noise="cpu" if options.device == "cpu" else "nv",
        batch=None if options.turbo else options.unet_bs,
        precision="fp32" if options.precision == "full" else None,
        device=_device(options.device),
        watermark=False,
    )


def _device(said: str) -> str | None:
    """The default is meant only where there is one: else the person's own setting, or the best."""
    return reference.device() if said == _DEVICE else said


def _make(command: str, options: argparse.Namespace, wish: Request) -> None:
    """Carry out `wish`, save where the reference saves, and log what was said."""
    begin, outdir = time.monotonic(), Path(options.outdir)
    if options.seed is None:
        options.seed = random.randint(0, _SEEDS)
    wanted = tuple(requests(options, wish))
    outputs.try_out(outdir)
    seeds, folder = [], outdir
    with progress(quiet=False) as talk:
        for done in make(wanted, talk):
            folder = folder_of(outdir, done.recipe.prompt)
            seeds.append(str(done.seed))
            if not options.skip_save:
                _save(done, folder, options.format)
    _log(Path("logs", f"{command}_logs.csv"), vars(options))
    minutes = (time.monotonic() - begin) / 60
    print(f"Samples finished in {minutes:.2f} minutes and exported to {folder}")
    print(f" Seeds used = {','.join(seeds)}")


def _save(done: ImageDone, folder: Path, suffix: str) -> None:
    reference.save(
        done,
        folder,
        f"seed_{done.seed}_{{:05}}.{suffix}",
        r"seed_\d+_(\d+)\.(?:png|jpg)",
        file_format=_FORMATS[suffix],
    )


def _log(file: Path, said: Mapping[str, object]) -> None:
    """Add a row of all flags to the log; one that cannot be written costs no image."""
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        table = csv.DictReader(StringIO(before))
        rows = list(table)
        columns = dict.fromkeys([*(table.fieldnames or ()), *said])
        written = StringIO()
        writer = csv.DictWriter(written, list(columns), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows([*rows, said])
        io.make_folder(file.parent)
        io.write_atomic(file, written.getvalue().encode("utf-8", "replace"), overwrite=True)
    except (OSError, ValueError, csv.Error, OutputError) as error:
        print(f"The log {file} is not written: {error}.", file=sys.stderr)
