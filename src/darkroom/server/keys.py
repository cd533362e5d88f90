"""Who may come in: the token of programs, the cookie of the page, invitations and the password.

Nothing is compared letter by letter, and what can be guessed (the password alone) is slow to try.
"""

import base64
import binascii
import hashlib
import json
import math
import os
import secrets
import threading
import time
from collections import deque
from pathlib import Path
from typing import Self

from darkroom.errors import RequestError

MIN_TOKEN = 16
MIN_PASSWORD = 8
_FILE = "keys.json"
_MAX_INVITATIONS = 16
_MAX_FAILURES = 5  # within the window; then nobody's guess is looked at for a while
_WINDOW_SECONDS = 60.0
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


class Keys:
    """What opens the server.  `token` is for programs; `session` is what the cookie holds."""

    def __init__(
        self, *, token: str | None = None, session: str | None = None, password: str | None = None
    ) -> None:
        if token is not None and (len(token) < MIN_TOKEN or not token.isascii()):
            raise RequestError(
                f"The token is shorter than {MIN_TOKEN} letters, or not plain text.",
                "Leave it out: Darkroom makes one that nobody guesses.",
            )
        if password is not None and len(password) < MIN_PASSWORD:
            raise RequestError(
                f"The password is shorter than {MIN_PASSWORD} letters.",
                "Choose a longer one: everybody in the network may try to guess it.",
            )
        self.token = token or secrets.token_urlsafe(32)
        self.session = session or secrets.token_urlsafe(32)
        self._salt = secrets.token_bytes(16)
        self._password = None if password is None else self._hash(password)
        self._invitations: deque[str] = deque(maxlen=_MAX_INVITATIONS)
        self._failures: deque[float] = deque(maxlen=_MAX_FAILURES)
        self._lock = threading.Lock()

    @classmethod
    def kept_in(
        cls, folder: Path, *, token: str | None = None, password: str | None = None
    ) -> Self:
        """The keys of a data folder, the same after a restart, so that open pages stay open.

        The file can be read by its owner alone.
        """
        file = folder / _FILE
        kept = _read(file)
        keys = cls(token=token or kept.get("token"), session=kept.get("session"), password=password)
        _write(file, {"token": keys.token, "session": keys.session})
        return keys

    @property
    def has_password(self) -> bool:
        return self._password is not None

    def invite(self) -> str:
        """A token that lets in once, for an address that is printed."""
        invitation = secrets.token_urlsafe(32)
        with self._lock:
            self._invitations.append(invitation)
        return invitation

    def accept(self, invitation: str) -> bool:
        """Whether this is an invitation; it is spent then."""
        with self._lock:
            known = [one for one in self._invitations if _same(one, invitation)]
            for one in known:
                self._invitations.remove(one)
        return bool(known)

    def knows_session(self, cookie: str) -> bool:
        return _same(self.session, cookie)

    def knows_authorization(self, header: str) -> bool:
        """Whether an Authorization header holds the token, as Bearer or as Basic password."""
        kind, _, rest = header.partition(" ")
        if kind.lower() == "bearer":
            return _same(self.token, rest.strip())
        if kind.lower() == "basic":
            return _same(self.token, _basic_password(rest.strip()))
        return False

    def seconds_to_wait(self) -> int:
        """How long no guess of the password is looked at, after too many wrong ones."""
        with self._lock:
            return self._wait()

    def knows_password(self, guess: str) -> bool:
        """Whether this is the password.  Slow, on purpose; False also while guesses have to wait.

        A guess counts as wrong until it is known to be right, so that many at once gain nothing.
        """
        with self._lock:
            if self._password is None or self._wait():
                return False
            self._failures.append(time.monotonic())
        right = secrets.compare_digest(self._password, self._hash(guess))
        if right:
            with self._lock:
                self._failures.clear()
        return right

    def _wait(self) -> int:
        if len(self._failures) < _MAX_FAILURES:
            return 0
        return max(0, math.ceil(self._failures[0] + _WINDOW_SECONDS - time.monotonic()))

    def _hash(self, password: str) -> bytes:
        return hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"), salt=self._salt, dklen=32, **_SCRYPT
        )


def _same(known: str, said: str) -> bool:
    return secrets.compare_digest(known.encode(), said.encode("utf-8", "surrogatepass"))


def _basic_password(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _read(file: Path) -> dict[str, str]:
    """The kept keys; none where there are none yet, or somebody damaged them."""
    try:
        kept = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {
        name: value
        for name, value in kept.items()
        if isinstance(value, str) and len(value) >= MIN_TOKEN and value.isascii()
    }


def _write(file: Path, kept: dict[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:  # noqa: PTH123
        json.dump(kept, stream)
    draft.replace(file)
