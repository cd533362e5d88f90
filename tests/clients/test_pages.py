"""The pages on these APIs run as they stand, against a running server, and name every field."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from darkroom.server import a1111, openai_wishes
from darkroom.server.a1111_bodies import Img2Img, Txt2Img
from darkroom.server.a1111_wishes import SETTLED
from tests.clients.conftest import Served
from tests.docs.test_tutorial import ROOT, blocks

OPENAI, A1111 = ROOT / "docs" / "openai-api.md", ROOT / "docs" / "a1111-api.md"


@pytest.mark.parametrize("page", [OPENAI, A1111], ids=lambda page: page.stem)
def test_the_page_runs(
    page: Path, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARKROOM_TOKEN", served.token)
    scope: dict[str, Any] = {}
    for block in blocks(page):
        text = block.text.replace("7860", str(served.port))
        text = re.sub(r'open\(("\w+\.png"), "rb"\)', r"Path(\1)", text)  # closed by its reader
        exec(compile(text, page.name, "exec"), scope)
    assert (tmp_path / "hamster.png").is_file()


def test_fields_are_named() -> None:
    text = OPENAI.read_text(encoding="utf-8")
    for name in openai_wishes.OWN:
        assert f"`{name}`" in text, name
    text = A1111.read_text(encoding="utf-8")
    for name in [*Txt2Img.model_fields, *Img2Img.model_fields, *SETTLED]:
        assert f"`{name}`" in text, name


def test_routes_are_named() -> None:
    text = A1111.read_text(encoding="utf-8")
    for route in a1111.router.routes:
        assert isinstance(route, APIRoute)
        name = route.path.removeprefix("/sdapi/v1/")
        assert f"`{name}`" in text, name
