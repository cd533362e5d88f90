"""A server from its first line to its last: folder, store, workers, routes, and the sockets."""

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from darkroom import settings
from darkroom.checkpoints import safety
from darkroom.errors import DarkroomError, RequestError
from darkroom.images import inspection
from darkroom.server.app import create_app
from darkroom.server.events import Hub
from darkroom.server.keys import Keys
from darkroom.server.news import News
from darkroom.server.security import Hosts
from darkroom.server.services import Services
from darkroom.server.supervisor import IDLE_SECONDS, Supervisor
from darkroom.server.views import Views
from darkroom.store.folder import DataFolder
from darkroom.store.opening import Store, open_store
from darkroom.store.pictures import Found
from darkroom.worker.decoder import Decoder

PORT = 7860  # where programs that speak A1111's API look first
_PORTS = 20  # that are tried, one after the other
_STOP_SECONDS = 10.0
_HOUSEKEEPING_SECONDS = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a server is to be.  `port`: None for the first free one from `PORT` on.

    `token`: for programs, None for one that is made and kept in the data folder.  `password`: for
    people who come from other computers.  `idle`: seconds after which unused models are given up.
    `command`: starts a worker.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int | None = None
    token: str | None = None
    password: str | None = None
    device: str = "auto"
    idle: float = IDLE_SECONDS
    command: Sequence[str] = (sys.executable, "-m", "darkroom.worker")

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.password:
            raise RequestError(
                f"Listening at {self.host} lets other computers in, and there is no password.",
                "Set one with --password, or leave --host out: then only this computer gets in.",
            )


class Server:
    """One that runs in the calling thread, until it is stopped."""

    def __init__(
        self,
        wanted: Wanted,
        sockets: Sequence[socket.socket],
        services: Services,
        crew: Supervisor,
    ) -> None:
        self._wanted = wanted
        self._sockets = sockets
        self._crew = crew
        self.services = services
        self.port: int = sockets[0].getsockname()[1]

    @property
    def address(self) -> str:
        """Where people on this computer reach it, without any token."""
        host = _EVERYWHERE.get(ip_of(self._wanted.host), self._wanted.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def invitation(self, page: str = "") -> str:
        """An address that lets one browser in, once; `page` begins with #."""
        return f"{self.address}/enter?token={self.services.keys.invite()}{page}"

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until a signal to stop.  `ready` is called once it does, from another thread."""
        config = uvicorn.Config(
            create_app(self.services),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=3,
            backlog=512,
        )

        def begun() -> None:
            self._crew.start()
            ready()
            _tidy(self.services)
            while not stopped.wait(_HOUSEKEEPING_SECONDS):
                _keep_house(self.services)

        stopped = threading.Event()
        server = _Uvicorn(config, self.services.news.hub, begun)
        try:
            server.run(sockets=list(self._sockets))
        finally:
            stopped.set()


class _Uvicorn(uvicorn.Server):
    """Ends the streams of events when it is told to stop: they would last for ever."""

    def __init__(self, config: uvicorn.Config, hub: Hub, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._hub = hub
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            threading.Thread(target=self._ready, daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)


@contextmanager
def opened(wanted: Wanted) -> Iterator[Server]:
    """A server with everything that it needs, taken apart in good order afterwards.

    Raises:
        FolderInUseError: another server works on the data folder.
        DarkroomError: the port is taken, or the folder cannot be used.
    """
    with DataFolder(wanted.data).lock() as lock:
        sockets = listening(wanted.host, wanted.port)
        try:
            store = open_store(wanted.data)
            try:
                with _staffed(wanted, sockets, store) as server:
                    lock.announce(server.address)
                    yield server
            finally:
                store.close()
        finally:
            for one in sockets:
                one.close()


@contextmanager
def _staffed(wanted: Wanted, sockets: Sequence[socket.socket], store: Store) -> Iterator[Server]:
    """The server with its workers and its decoder."""
    news = News(Hub(), Views(store.queue, store.gallery))
    decoder = Decoder()
    crew = Supervisor(store, news, device=wanted.device, idle=wanted.idle, command=wanted.command)
    services = Services(
        store=store,
        decoder=decoder,
        news=news,
        keys=Keys.kept_in(wanted.data, token=wanted.token, password=wanted.password),
        hosts=hosts(wanted.host, sockets[0].getsockname()[1]),
        crew=crew,
        safety=_safety,
    )
    try:
        yield Server(wanted, sockets, services, crew)
    finally:
        news.hub.close()
        crew.stop(_STOP_SECONDS)
        decoder.close()


def _safety() -> dict[str, object]:
    """What happens to images that the safety checker finds unsafe, where nothing is said."""
    there = safety.installed() is not None
    return {"policy": settings.read("safety") or ("blur" if there else "off"), "installed": there}


def _tidy(services: Services) -> None:
    """What need not be done before the first answer."""
    store = services.store
    try:
        services.decoder.warm()
        if store.rebuild:
            store.gallery.rebuild(_found)
            services.news.reset()
    except DarkroomError as error:
        _log.warning("%s %s", error.message, error.hint)
    _keep_house(services)


def _keep_house(services: Services) -> None:
    """Copy the database, and remove what nobody can miss."""
    try:
        services.store.keep_copy()
        services.store.prune()
    except DarkroomError as error:
        _log.warning("%s %s", error.message, error.hint)


def _found(path: Path) -> Found:
    """What one of our own files says of itself."""
    seen = inspection.inspect(path.read_bytes(), path.name, hidden=False)
    return Found(width=seen.width, height=seen.height, recipe=seen.recipe)


def hosts(host: str, port: int) -> Hosts:
    """What the server may be called by."""
    if ip_of(host) in _EVERYWHERE:
        return Hosts(port=port, anywhere=True, names=(socket.gethostname(),))
    return Hosts(port=port, names=(host,))


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach what listens there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def ip_of(host: str) -> str:
    """An address in its usual form; other hosts as they are."""
    try:
        return str(ip_address(host))
    except ValueError:
        return host


# What listens everywhere, and how this computer reaches it.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (refused without a password)


def listening(host: str, port: int | None) -> list[socket.socket]:
    """A socket that listens; where no port is said, the first free one.

    Raises:
        DarkroomError: the port is taken, or there is no such address here.
    """
    if port is not None:
        return [_bound(host, port)]
    for candidate in range(PORT, PORT + _PORTS):
        try:
            return [_bound(host, candidate)]
        except _TakenError:
            continue
    return [_bound(host, 0)]


class _TakenError(DarkroomError):
    """Another program listens there."""


def _bound(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise RequestError(
            f"There is no address {host} here.", "Leave --host out, or name one of this computer."
        ) from error
    try:
        if sys.platform != "win32":  # where it would let two servers listen at one port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(512)
    except OSError as error:
        made.close()
        if isinstance(error, PermissionError):
            raise RequestError(
                f"Port {port} may only be used by the system.", "Choose one above 1023."
            ) from error
        raise _TakenError(
            f"Port {port} at {host} is taken by another program, or {host} is not an address "
            "of this computer.",
            "Choose another with --port, or leave it out: then a free one is taken.",
        ) from error
    made.set_inheritable(False)
    return made
