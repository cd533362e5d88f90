"""The command that serves the page and the APIs."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import NO_VALUE, Debug
from darkroom.settings import TABLE

if TYPE_CHECKING:
    from darkroom.server.running import Server, Wanted

_TOKEN, _PASSWORD = "DARKROOM_TOKEN", "DARKROOM_PASSWORD"


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help=TABLE["host"].help, metavar="ADDRESS", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            "-p",
            help=TABLE["port"].help,
            metavar="N",
            min=0,
            max=65535,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help=TABLE["data"].help, metavar="DIR", show_default=False)
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="What programs send to be let in. Default: one that is made once and kept in "
            f"the data folder. Also as {_TOKEN}.",
            metavar="TEXT",
            show_default=False,
        ),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            help="What people on other computers type to be let in; needed beside --host. "
            f"Others see it in the list of processes: better as {_PASSWORD}.",
            metavar="TEXT",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help=TABLE["model"].help, metavar="NAME|FILE", show_default=False
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help=TABLE["device"].help, metavar="NAME", show_default=False)
    ] = None,
    idle: Annotated[
        int | None,
        typer.Option(help=TABLE["idle"].help, metavar="SECONDS", min=0, show_default=False),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", metavar=NO_VALUE, help="Do not open the page.")
    ] = False,
    page: Annotated[
        str,
        typer.Option(
            "--open",
            help="The part of the page that is opened, such as gallery, or create?task=upscale.",
            metavar="PAGE",
            show_default=False,
        ),
    ] = "",
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Serve the page, the queue and the gallery, and the APIs that other programs speak.

    The address that it prints opens the page in one browser, once; after that the browser knows
    the way. Ctrl-C stops it: what waits, and what was being made, goes on with the next start.

    Example: darkroom serve
    """
    from darkroom import paths, settings
    from darkroom.server import running

    if model is not None:
        os.environ[TABLE["model"].environment] = named(model)
    if data is not None:
        os.environ[TABLE["data"].environment] = data
    said = settings.read("port", port)
    wanted = running.Wanted(
        data=paths.data_folder().absolute(),
        host=str(settings.read("host", host)),
        port=None if said is None else int(said),
        token=token or os.environ.pop(_TOKEN, None),
        password=password or os.environ.pop(_PASSWORD, None),
        device=str(settings.read("device", device)),
        idle=float(str(settings.read("idle", idle))),
    )
    with running.opened(wanted) as server:
        place = f"#/{page.lstrip('#/')}" if page else ""

        def ready() -> None:
            _tell(server, wanted, place)
            if not no_browser:
                _open(server.invitation(place))

        try:
            server.run(ready)
        except KeyboardInterrupt:
            typer.echo("Stopping: the step that is under way comes to its end.", err=True)


def _tell(server: "Server", wanted: "Wanted", place: str) -> None:
    """The address on standard output, all else beside it."""
    typer.echo(server.invitation(place))
    for line in _remarks(server, wanted):
        typer.echo(line, err=True)


def _remarks(server: "Server", wanted: "Wanted") -> Iterator[str]:
    from darkroom.server import running

    yield "Open this address to come in; it works once. Ctrl-C stops the server."
    folder = printable(wanted.data)
    yield f"Images and queue: {folder}"
    if wanted.token is None:
        yield f"Programs send the token that stands in {folder}{os.sep}keys.json."
    yield from server.services.store.notes
    if not running.is_loopback(wanted.host):
        yield (
            f"Everybody who reaches port {server.port} of this computer and knows the password or "
            "the token sees all images and prompts here, makes new ones and deletes them. The way "
            "is not encrypted: use it in networks that you trust."
        )


def named(model: str) -> str:
    """The name of a model, which a file that has none is given: the page knows names alone.

    Raises:
        ModelError: there is no such model.
    """
    from darkroom.checkpoints import catalog, detect, folder, header, registry

    path = catalog.find(model).absolute()
    models = catalog.installed()
    for one in models:
        if one.name == model or one.path.absolute() == path:
            return one.name
    detect.detect(header.read_header(path), path)
    name = registry.add(folder.name_of(path), path, taken=frozenset(one.name for one in models))
    typer.echo(f"The model is called {name} from now on: darkroom models list", err=True)
    return name


def _open(address: str) -> None:
    """Show the page, where there is a screen; a browser that does not come costs nothing."""
    import sys
    import webbrowser
    from contextlib import suppress

    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not screen:
        return  # a browser of the terminal would take it over
    with suppress(Exception):
        webbrowser.open(address)
