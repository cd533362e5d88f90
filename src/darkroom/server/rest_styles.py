"""`/api/styles`: the library of styles, and the user's own."""

import threading
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from darkroom import paths
from darkroom.errors import RequestError
from darkroom.server import answers
from darkroom.server.refusals import missing
from darkroom.text import styles

router = APIRouter(prefix="/api", tags=["styles"])

_writing = threading.Lock()  # one after the other: each writes the whole file
Text = Annotated[str, StringConstraints(max_length=20_000)]


class StyleSaid(answers.Said):
    """A style to keep.  `{prompt}` stands for the prompt; without it, the words come behind it."""

    model_config = answers.like(name="cosy", prompt="{prompt} by the fire", negative="rain")

    name: answers.Name
    prompt: Text = ""
    negative: Text = ""


class Style(BaseModel):
    """A style.  `own`: it stands in the user's file, and not in the library."""

    name: str
    prompt: str
    negative: str
    own: bool


class Group(BaseModel):
    """Styles that belong together."""

    name: str
    styles: list[Style]


class Groups(BaseModel):
    """All styles, the user's own first."""

    groups: list[Group]


@router.get("/styles", response_model=Groups)
def listed() -> dict[str, Any]:
    """Every style by group, the user's own first."""
    return {
        "groups": [
            {
                "name": group,
                "styles": [
                    {
                        "name": name,
                        "prompt": style.prompt,
                        "negative": style.negative,
                        "own": group == styles.OWN,
                    }
                    for name, style in rows.items()
                ],
            }
            for group, rows in styles.groups(paths.styles_file()).items()
        ]
    }


@router.post("/styles", response_model=Groups, status_code=201)
def save(body: StyleSaid) -> dict[str, Any]:
    """Keep a style in the user's own file, in place of one of that name."""
    style = styles.Style(body.prompt.strip(), body.negative.strip())
    with _writing:
        styles.save(paths.styles_file(), body.name, style)
    return listed()


@router.delete("/styles/{name:path}", response_model=Groups)
def remove(name: str) -> dict[str, Any]:
    """Take a style out of the user's own file; the library's cannot be deleted."""
    try:
        with _writing:
            styles.remove(paths.styles_file(), name)
    except RequestError as error:
        raise missing("style") from error
    return listed()
