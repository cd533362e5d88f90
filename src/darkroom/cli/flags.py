"""The flags that the commands which make images share, each written once."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from darkroom.settings import TABLE

IMAGE = "Image"
PROMPT = "Prompt"
SAMPLING = "Sampling"
VARIATION = "Variation and tiling"
LARGE = "Large images, in two passes"
FINE = "Fine tuning"
MODEL = "Model and machine"
RESULT = "Result"
TALK = "Talk"
NO_VALUE = " "  # a switch shows no type in its help


def remember_debug(context: typer.Context, *, value: bool) -> bool:
    """Tell the outermost command, which renders errors, whether to show a trace."""
    context.find_root().meta["darkroom.debug"] = value
    return value


def _setting(name: str, panel: str, *names: str, metavar: str | None = None) -> Any:
    """The option for a row of the settings table.  Its default is None: not said here."""
    row = TABLE[name]
    return typer.Option(
        *(names or (row.flag,)),
        help=row.help,
        rich_help_panel=panel,
        metavar=NO_VALUE if row.type is bool else metavar or "|".join(row.choices),
        show_default=False,  # the help says it
    )


def _option(panel: str, help: str, *names: str, metavar: str = NO_VALUE) -> Any:  # noqa: A002
    return typer.Option(
        *names, help=help, rich_help_panel=panel, metavar=metavar, show_default=False
    )


Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        metavar=NO_VALUE,
        help="Show the trace of an error.",
        rich_help_panel=TALK,
        callback=lambda ctx, value: remember_debug(ctx, value=value),
    ),
]
Json = Annotated[bool, _option(TALK, "Print one JSON object.", "--json")]


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What was said on the command line; None where nothing was."""

    width: Annotated[
        int | None, _option(IMAGE, "In pixels. Default: the model's own.", "--width", metavar="W")
    ] = None
    height: Annotated[
        int | None, _option(IMAGE, "In pixels. Default: the model's own.", "--height", metavar="H")
    ] = None
    seed: Annotated[
        int | None,
        _option(
            IMAGE,
            "Image k has seed S + k; the same seed gives the same image. "
            "Default: a random one, which is printed and recorded.",
            "--seed",
            metavar="S",
        ),
    ] = None
    count: Annotated[
        int | None, _option(IMAGE, "How many images. Default: 1.", "--count", metavar="N")
    ] = None
    like: Annotated[
        Path | None,
        _option(
            IMAGE,
            "Take over the settings of an image, of Darkroom or another program; flags change "
            "them.",
            "--like",
            metavar="FILE",
        ),
    ] = None

    negative: Annotated[str | None, _setting("negative", PROMPT, metavar="TEXT")] = None
    from_file: Annotated[
        str | None,
        _option(
            PROMPT,
            "Read prompts from a file, one a line (-: standard input). Seeds go on counting.",
            "--from-file",
            metavar="FILE",
        ),
    ] = None
    style: Annotated[
        list[str] | None,
        _option(
            PROMPT,
            "Add a style to the prompts, your own or one of `darkroom styles`; may be said again.",
            "--style",
            metavar="NAME",
        ),
    ] = None
    prompt_syntax: Annotated[str | None, _setting("prompt_syntax", PROMPT, metavar="NAME")] = None
    clip_skip: Annotated[int | None, _setting("clip_skip", PROMPT, metavar="N")] = None

    steps: Annotated[int | None, _setting("steps", SAMPLING, metavar="N")] = None
    sampler: Annotated[str | None, _setting("sampler", SAMPLING, metavar="NAME")] = None
    schedule: Annotated[str | None, _setting("schedule", SAMPLING, metavar="NAME")] = None
    guidance: Annotated[float | None, _setting("guidance", SAMPLING, metavar="X")] = None

    variation_strength: Annotated[
        float | None,
        _option(
            VARIATION,
            "Turn the start so far towards another seed's, 0 to 1; --count gives as many "
            "variations of one seed.",
            "--variation-strength",
            metavar="X",
        ),
    ] = None
    variation_seed: Annotated[
        int | None,
        _option(
            VARIATION,
            "The other seed; variation k has S + k. Default: a random one.",
            "--variation-seed",
            metavar="S",
        ),
    ] = None
    tiling: Annotated[
        str | None,
        _option(
            VARIATION,
            "Let the image continue at its other edge, side by side (x), one above the other (y) "
            "or both.",
            "--tiling",
            metavar="none|x|y|both",
        ),
    ] = None

    hires: Annotated[
        float | None,
        _option(
            LARGE,
            "Enlarge the finished image so many times, 1 to 4, and refine it.",
            "--hires",
            metavar="X",
        ),
    ] = None
    hires_strength: Annotated[
        float | None,
        _option(
            LARGE,
            "How much the second pass may change, 0 to 1. Default: 0.5.",
            "--hires-strength",
            metavar="X",
        ),
    ] = None
    hires_steps: Annotated[
        int | None,
        _option(
            LARGE,
            "Steps of the second pass. Default: the strength's share of --steps.",
            "--hires-steps",
            metavar="N",
        ),
    ] = None
    hires_enlarger: Annotated[
        str | None,
        _option(
            LARGE,
            "Enlarge the pixels (lanczos) or, faster and softer, the latent. Default: lanczos.",
            "--hires-enlarger",
            metavar="lanczos|latent",
        ),
    ] = None

    rescale: Annotated[
        float | None,
        _option(
            FINE,
            "How far guidance keeps the contrast of the unguided image, 0 to 1.",
            "--rescale",
            metavar="X",
        ),
    ] = None
    guidance_start: Annotated[
        float | None,
        _option(
            FINE,
            "Where in the schedule guidance begins, 0 to 1. Default: 0.",
            "--guidance-start",
            metavar="X",
        ),
    ] = None
    guidance_end: Annotated[
        float | None,
        _option(FINE, "And where it ends, 0 to 1. Default: 1.", "--guidance-end", metavar="X"),
    ] = None
    eta: Annotated[
        float | None,
        _option(
            FINE,
            "Share of fresh noise in each step, 0 to 1, for samplers that take it. "
            "Default: the sampler's own.",
            "--eta",
            metavar="X",
        ),
    ] = None
    churn: Annotated[
        float | None,
        _option(
            FINE,
            "Fresh noise before each step, 0 to 100, for samplers that take it.",
            "--churn",
            metavar="X",
        ),
    ] = None
    churn_start: Annotated[
        float | None,
        _option(FINE, "The lowest sigma that is churned.", "--churn-start", metavar="SIGMA"),
    ] = None
    churn_end: Annotated[
        float | None,
        _option(FINE, "The highest sigma that is churned.", "--churn-end", metavar="SIGMA"),
    ] = None
    noise_scale: Annotated[
        float | None,
        _option(FINE, "Factor of all fresh noise. Default: 1.", "--noise-scale", metavar="X"),
    ] = None
    noise: Annotated[str | None, _setting("noise", FINE)] = None
    seed_offset: Annotated[
        int | None,
        _option(
            FINE,
            "Added to the seeds of the noise of the steps (ENSD of other programs).",
            "--seed-offset",
            metavar="N",
        ),
    ] = None

    model: Annotated[str | None, _setting("model", MODEL, "--model", "-m", metavar="NAME|FILE")] = (
        None
    )
    prediction: Annotated[str | None, _setting("prediction", MODEL)] = None
    precision: Annotated[str | None, _setting("precision", MODEL)] = None
    vae: Annotated[
        str | None,
        _option(
            MODEL,
            "Use the autoencoder (VAE) in this file or model in place of the model's own.",
            "--vae",
            metavar="NAME|FILE",
        ),
    ] = None
    ema: Annotated[
        bool, _option(MODEL, "Use the checkpoint's EMA copies, its averaged weights.", "--ema")
    ] = False
    device: Annotated[str | None, _setting("device", MODEL, metavar="NAME")] = None
    batch: Annotated[int | None, _setting("batch", MODEL, metavar="N")] = None

    out: Annotated[str | None, _setting("out", RESULT, "--out", "-o", metavar="FILE|FOLDER")] = None
    format: Annotated[str | None, _setting("format", RESULT)] = None
    quality: Annotated[int | None, _setting("quality", RESULT, metavar="N")] = None
    lossless: Annotated[
        bool | None,
        _option(
            RESULT,
            "Whether WebP keeps every pixel. Default: yes, unless --quality is said.",
            "--lossless/--no-lossless",
        ),
    ] = None
    name: Annotated[str | None, _setting("name", RESULT, metavar="PATTERN")] = None
    overwrite: Annotated[
        bool, _option(RESULT, "Let --out replace an existing file.", "--overwrite")
    ] = False
    grid: Annotated[bool, _option(RESULT, "Also save all images as one grid.", "--grid")] = False
    preview: Annotated[
        Path | None,
        _option(
            RESULT,
            "Show how the image develops: this file is rewritten at each step.",
            "--preview",
            metavar="FILE",
        ),
    ] = None
    watermark: Annotated[
        bool | None, _setting("watermark", RESULT, "--watermark/--no-watermark")
    ] = None
    safety: Annotated[str | None, _setting("safety", RESULT)] = None
    private: Annotated[bool | None, _setting("private", RESULT, "--private/--no-private")] = None

    plan: Annotated[
        bool, _option(TALK, "Say what would be done and what it would cost, and stop.", "--plan")
    ] = False
    json: Json = False
    quiet: Annotated[bool, _option(TALK, "Print results and errors only.", "--quiet", "-q")] = False
    debug: Debug = False


# The second pass of a large image, which only txt2img has.
SECOND_PASS = ("hires", "hires_strength", "hires_steps", "hires_enlarger")


def takes_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Offer every flag of `Flags` on a command whose last parameter is `flags: Flags`."""
    return takes(*(field.name for field in dataclasses.fields(Flags)))(command)


def takes_flags_but(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Offer every flag but these, which mean nothing to the command."""
    return takes(*({field.name for field in dataclasses.fields(Flags)} - {*names}))


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Offer these flags alone; in `flags: Flags` the others are as if nothing was said."""
    hints = get_type_hints(Flags, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(Flags)
        if field.name in names
    ]

    def offer(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[:-1]

        @functools.wraps(command)
        def with_flags(**said: Any) -> None:
            values = {parameter.name: said.pop(parameter.name) for parameter in shared}
            command(**said, flags=Flags(**values))

        with_flags.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]
        return with_flags

    return offer
