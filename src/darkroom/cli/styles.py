"""The command that lists the styles that `--style` knows."""

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import Debug, Json


def styles(
    *,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List the styles for `--style`: your own and those of the library, in groups.

    {prompt} stands for the prompt; what the image should not show comes after the bar.

    Example: darkroom styles
    """
    from dataclasses import asdict
    from json import dumps

    from darkroom import paths
    from darkroom.text import styles as known

    groups = known.groups(paths.styles_file())
    if json:
        listed = {
            group: {name: asdict(style) for name, style in rows.items()}
            for group, rows in groups.items()
        }
        typer.echo(dumps({"groups": listed}, ensure_ascii=False))
        return
    for group, rows in groups.items():
        typer.secho(group, bold=True)
        width = max(len(name) for name in rows)
        for name, style in rows.items():
            negative = f" | {style.negative}" if style.negative else ""
            typer.echo(printable(f"  {name.ljust(width)}  {style.prompt}{negative}"))
