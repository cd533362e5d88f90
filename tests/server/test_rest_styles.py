"""`/api/styles`, behind an app of its own."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from darkroom.errors import RequestError
from darkroom.server import rest_styles
from darkroom.server.refusals import Refusal
from darkroom.text import styles


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "styles.csv"
    monkeypatch.setenv("DARKROOM_STYLES_FILE", str(file))
    return file


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    app.include_router(rest_styles.router)
    return TestClient(app)


def group(answer: Any, name: str) -> dict[str, Any]:
    (found,) = [one for one in answer.json()["groups"] if one["name"] == name]
    return {style["name"]: style for style in found["styles"]}


@pytest.mark.usefixtures("file")
def test_the_library_in_groups(client: TestClient) -> None:
    answer = client.get("/api/styles")
    assert answer.json()["groups"][0]["name"] == "Medium"
    assert not group(answer, "Medium")["oil painting"]["own"]


def test_own_styles_come_first_and_can_go(client: TestClient, file: Path) -> None:
    said = {"name": "by/me", "prompt": "{prompt} by me", "negative": "photo"}
    answer = client.post("/api/styles", json=said)
    assert answer.status_code == 201
    assert answer.json()["groups"][0] == {"name": styles.OWN, "styles": [said | {"own": True}]}
    assert styles.read(file) == {"by/me": styles.Style("{prompt} by me", "photo")}
    assert client.delete("/api/styles/by%2Fme").json()["groups"][0]["name"] == "Medium"
    with pytest.raises(Refusal, match="no such style"):
        client.delete("/api/styles/oil painting")


def test_what_is_no_style_is_refused(client: TestClient, file: Path) -> None:
    with pytest.raises(RequestError, match="needs words"):
        client.post("/api/styles", json={"name": "empty"})
    assert client.post("/api/styles", json={"name": "x", "prompt": 3}).status_code == 422
    assert client.post("/api/styles", json={"name": "x", "path": "/"}).status_code == 422
    assert not file.exists()
