"""The open addresses: an invitation or the password buys a cookie; and a sign of life."""

from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.responses import RedirectResponse, Response

from darkroom.server import doorstep
from darkroom.server.security import Hosts
from darkroom.server.services import Here

router = APIRouter(include_in_schema=False)

_COOKIE_SECONDS = 60 * 60 * 24 * 400  # what browsers keep at most


def cookie(hosts: Hosts) -> str:
    """The cookie's name: browsers do not tell the ports of one computer apart."""
    return f"darkroom-{hosts.port}"


@router.get("/health")
async def health() -> dict[str, bool]:
    """The server lives; nothing else is said to strangers."""
    return {"ok": True}


@router.get("/enter")
async def enter(here: Here, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Spend the token of a printed address on a cookie."""
    if here.keys.accept(token):
        return _let_in(here)
    return doorstep.answer(doorstep.spent(), 403)


@router.get("/sign-in")
async def sign_in_page(here: Here) -> Response:
    """The form that asks for the password."""
    if not here.keys.has_password:
        return doorstep.answer(doorstep.no_password(), 404)
    return doorstep.sign_in()


@router.post("/sign-in")
def sign_in(here: Here, password: Annotated[str, Form(max_length=1000)] = "") -> Response:
    """Take the password; after a few wrong ones, none is looked at for a while."""
    if not here.keys.has_password:
        return doorstep.answer(doorstep.no_password(), 404)
    if wait := here.keys.seconds_to_wait():
        said = f"Too many wrong passwords. Wait {wait} seconds."
        return doorstep.sign_in(said, 429, {"retry-after": str(wait)})
    if here.keys.knows_password(password):
        return _let_in(here)
    return doorstep.sign_in("That is not the password.", 403)


def _let_in(here: Here) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        cookie(here.hosts),
        here.keys.session,
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
    )
    return answer
