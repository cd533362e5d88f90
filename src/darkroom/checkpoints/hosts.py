"""One GET from a host on the internet, on the guard against hosts that lie.  No torch.

Nothing but `models pull` comes here.  The standard library's HTTP is taken because it does nothing
of its own accord: no proxies, cookies, redirects, password files or decompression.
"""

import contextlib
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from types import TracebackType
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

from darkroom.checkpoints.tensors import shown
from darkroom.errors import DownloadError

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
LOGIN = (401, 403)

_Place = tuple[int, tuple[object, ...]]  # kind and address, as sockets take them
# Its last 32 bits are an IPv4 address: RFC 6052, 4291 (section 2.5.5.1) and 2765.
_IPV6_AROUND_IPV4 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
_IPV6_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_LEFT_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"


class Cut(DownloadError):
    """The connection failed in a way that may pass."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds to wait for a host: to connect, for its answer as a whole, between two bytes of it.

    In each `window` a body must bring `slowest` bytes a second.  `pauses` are those between tries
    to go on after a cut.
    """

    connect: float = 15.0
    answer: float = 60.0
    silence: float = 60.0
    window: float = 120.0
    slowest: int = 1024
    pauses: tuple[float, ...] = (1.0, 4.0, 15.0, 30.0)


@dataclass(frozen=True)
class Address:
    """The parts of a URL that are needed to ask for it."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def of(cls, url: str, seen_from: str = "") -> Self:
        """Raises DownloadError for what is no address of a file on the web."""
        try:
            parts = urlsplit(urljoin(seen_from, url))
            port = parts.port or {"https": 443, "http": 80}[parts.scheme]
            host = (parts.hostname or "").encode("idna").decode()
        except (KeyError, ValueError) as error:
            raise DownloadError(
                f"{shown(public(url))} is no address that Darkroom follows.",
                "It begins with https://.",
            ) from error
        if not re.fullmatch(r"[\w.:-]+", host, re.ASCII) or "@" in parts.netloc:
            raise DownloadError(
                f"{shown(public(url))} is no address that Darkroom follows.",
                "It names a host, and no user or password.",
            )
        target = parts.path or "/"
        target += f"?{parts.query}" if parts.query else ""
        return cls(parts.scheme, host, port, quote(target, safe=_LEFT_AS_IT_IS))

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def public(url: str) -> str:
    """An address as it may be told: without user and password, and without what follows its path.

    Whatever stands before the last @ goes, since a password may hold any character.
    """
    return re.sub(r"(?<=://).*@", "", url, flags=re.DOTALL).partition("?")[0].partition("#")[0]


@dataclass
class Answer:
    """A host's answer, its body unread.

    `said` are the headers of all answers on the way that came from the host that was asked first,
    names in small letters; `headers` those of the last answer, whoever gave it.
    """

    host: str
    status: int
    headers: Mapping[str, str]
    body: HTTPResponse
    connected: socket.socket
    said: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.body.close()
        self.connected.close()

    def read(self, count: int) -> bytes:
        """What has come, at most `count` bytes; nothing at the end.  Raises Cut."""
        with _told(self.host):
            return self.body.read1(count)


def get(url: str, headers: Mapping[str, str], *, token: str | None, patience: Patience) -> Answer:
    """Ask for `url`, which the person at this computer named, and follow where the host sends.

    Only https is spoken, and only with addresses on the open internet, on every hop: what DNS says
    is checked, and the checked address is connected to.  The host that was named may itself be a
    private one, and one on this computer may speak http.  `token` is shown if that host asks for
    a login, in answer to that, and never again.

    Raises DownloadError; Cut where another try may help.
    """
    named = here = Address.of(url)
    said: dict[str, str] = {}
    for _ in range(MAX_REDIRECTS + 1):
        answer = _ask(here, headers, named, patience)
        if answer.status in LOGIN and token and here == named:
            answer.close()
            answer = _ask(here, {**headers, "Authorization": f"Bearer {token}"}, named, patience)
        if here.origin == named.origin:
            said |= answer.headers
        answer.said = said
        if answer.status not in REDIRECTS:
            return answer
        answer.close()
        here = Address.of(answer.headers.get("location", ""), seen_from=here.url)
    raise DownloadError(
        f"{named.host} sends from one address to the next without an end.",
        "The host is at fault; try again later, or name another.",
    )


def _ask(
    address: Address, headers: Mapping[str, str], named: Address, patience: Patience
) -> Answer:
    """One request on a connection of its own."""
    own = address.origin == named.origin
    places = _places(address, own=own)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    with _told(address.host), contextlib.ExitStack() as failing:
        connected = _connect(places, patience)
        failing.callback(connected.close)
        connection = kind(address.host, address.port)
        with _within(patience.answer, connected):
            connected.settimeout(patience.silence)
            if address.scheme == "https":
                connected = ssl.create_default_context().wrap_socket(
                    connected, server_hostname=address.host
                )
                failing.callback(connected.close)
            connection.sock = connected
            usual = {"User-Agent": "darkroom", "Connection": "close"}
            connection.request("GET", address.target, headers={**usual, **headers})
            body = failing.enter_context(connection.getresponse())
        failing.pop_all()
    said = {name.lower(): value for name, value in body.getheaders()}
    return Answer(address.host, body.status, said, body, connected)


def _places(address: Address, *, own: bool) -> list[_Place]:
    """The places of the host that may be connected to."""
    with _told(address.host):
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    places: list[_Place] = [(kind, place) for kind, _, _, _, place in found]
    numbers = [ipaddress.ip_address(str(place[0]).partition("%")[0]) for _, place in places]
    if address.scheme == "http" and not (own and all(number.is_loopback for number in numbers)):
        raise DownloadError(
            f"{address.host} would send the file unencrypted (http).",
            "Darkroom speaks https only, except with this computer itself.",
        )
    open_ = [
        place for place, number in zip(places, numbers, strict=True) if own or _is_open(number)
    ]
    if not open_:
        raise DownloadError(
            f"The way to the file leads to {address.host}, which is in a private network.",
            "No host on the internet may send there. If it is yours, name its address yourself.",
        )
    return open_


def _is_open(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is on the open internet; IPv6 that stands for IPv4 is what it stands for."""
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour
        if number in _IPV6_LOCAL:
            return False
        if any(number in around for around in _IPV6_AROUND_IPV4):
            inner = ipaddress.IPv4Address(int(number) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_open(inner)
    return number.is_global and not number.is_multicast


def _connect(places: list[_Place], patience: Patience) -> socket.socket:
    """A connection to the first place that takes one."""
    failure: OSError = ConnectionError("it has no address")
    for kind, place in places:
        with contextlib.ExitStack() as failing:
            connected = failing.enter_context(socket.socket(kind, socket.SOCK_STREAM))
            connected.settimeout(patience.connect)
            try:
                connected.connect(place)
            except OSError as error:
                failure = error
            else:
                failing.pop_all()
                return connected
    raise failure


@contextmanager
def _within(seconds: float, connected: socket.socket) -> Iterator[None]:
    """Hang up when the time is over: a timeout of the socket begins again with every byte."""
    over = threading.Event()

    def hang_up() -> None:
        over.set()
        with contextlib.suppress(OSError):
            descriptor.shutdown(socket.SHUT_RDWR)

    with connected.dup() as descriptor:  # TLS takes the socket itself away.
        timer = threading.Timer(seconds, hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            if over.is_set():  # What was cut off looks like a fault of another kind, or complete.
                raise TimeoutError


@contextmanager
def _told(host: str) -> Iterator[None]:
    """Failures of the network in a sentence."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DownloadError(
            f"{host} cannot prove that it is {host}: {error.verify_message}.",
            "Check the date of this computer. If its certificates are old or a proxy stands "
            "between, SSL_CERT_FILE names others.",
        ) from error
    except socket.gaierror as error:
        raise Cut(
            f"There is no way to {host}: {error.strerror}.",
            "Check the connection to the internet and the spelling of the host.",
        ) from error
    except TimeoutError as error:
        raise Cut(f"{host} does not answer.", "Try again later.") from error
    except OSError as error:
        raise Cut(
            f"The connection to {host} failed: {shown(str(error.strerror or error))}.",
            "Check the connection to the internet, or try again later.",
        ) from error
    except IncompleteRead as error:
        raise Cut(f"The connection to {host} ended too early.", "Try again later.") from error
    except HTTPException as error:
        raise DownloadError(
            f"{host} does not speak HTTP as it should ({type(error).__name__}).",
            "It may not be the host that you mean; a login page of a network answers like that.",
        ) from error
