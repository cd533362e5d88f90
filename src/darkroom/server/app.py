"""The application: routes behind the guard.  Everything that it needs is handed in."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom import __version__
from darkroom.errors import DarkroomError
from darkroom.server import (
    a1111,
    answers,
    entrance,
    openai,
    page,
    refusals,
    rest_about,
    rest_events,
    rest_images,
    rest_jobs,
    rest_models,
    rest_plan,
    rest_styles,
    rest_uploads,
)
from darkroom.server.security import Guard
from darkroom.server.services import Services

_log = logging.getLogger(__name__)

_ROUTERS: Sequence[APIRouter] = (
    rest_about.router,
    rest_events.router,
    rest_jobs.router,
    rest_plan.router,
    rest_styles.router,
    rest_uploads.router,
    rest_images.router,
    rest_models.router,
)
# The interfaces of other programs, which say no in their own way.
_OTHERS: Sequence[APIRouter] = (openai.router, a1111.router)
_PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": answers.Problem, "description": description}
    for status, description in (
        (400, "The request is none."),
        (401, "It brings no key."),
        (403, "It comes from another site, or asks for another host."),
        (404, "There is no such thing."),
        (408, "It stopped in the middle."),
        (409, "It cannot be done in this state."),
        (413, "It is too large."),
        (422, "It cannot be meant."),
        (429, "There is too much to do; try later."),
        (507, "There is no room left on the disk."),
    )
}


def create_app(services: Services) -> FastAPI:
    """The server's application on these services; it starts nothing."""
    app = FastAPI(
        title="Darkroom",
        version=__version__,
        summary="Images with Stable Diffusion, on your own computer.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its pages would load scripts from other sites
        redoc_url=None,
    )
    app.state.services = services
    services.news.views.blocked = services.crew.blocked
    for router in _ROUTERS:
        app.include_router(router, responses=dict(_PROBLEMS))
    for router in _OTHERS:
        app.include_router(router)
    app.include_router(entrance.router)
    app.include_router(page.router)  # the last: it answers whatever is left
    app.add_exception_handler(DarkroomError, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_middleware(
        Guard, keys=services.keys, hosts=services.hosts, cookie=entrance.cookie(services.hosts)
    )
    return app


def _answer(
    request: Request, status: int, message: str, hint: str, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse(refusals.body(request.url.path, status, message, hint), status, headers)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DarkroomError)
    status = refusals.status_of(error)
    if status >= 500 and status != 507:
        _log.error("%s %s: %s %s", request.method, request.url.path, error.message, error.hint)
    headers = refusals.headers_of(error)
    return _answer(request, status, error.message, error.hint, headers)


def _misread(request: Request, error: Exception) -> Response:
    """A request that has not the form that the route takes: the first thing that is wrong."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["loc"][0] == "path":
        return _answer(request, 404, "There is nothing of that name.", "Load the list anew.")
    where = [str(part) for part in first["loc"] if part != "body"]
    if first["type"] == "json_invalid":
        return _answer(request, 400, "The request is no JSON.", "Mend it and send it again.")
    field = ".".join(where[:6])[:100] or "The request"
    return _answer(request, 422, f"{field}: {first['msg']}.", "See /api/openapi.json for the form.")


def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        404: ("There is nothing at this address.", "See /api/openapi.json for what there is."),
        405: ("This address does not take that method.", "See /api/openapi.json."),
    }
    message, hint = said.get(error.status_code, ("The request cannot be read.", "Send it again."))
    return _answer(request, error.status_code, message, hint, error.headers)
