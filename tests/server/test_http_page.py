"""The commands of the page about the HTTP API are answered as it says."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from tests.server.conftest import House
from tests.server.test_rest import png

PAGE = (Path(__file__).parents[2] / "docs/http-api.md").read_text("utf-8")
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STREAM = "/api/events"


def test_every_command_of_the_page(house: House) -> None:
    known = {"DARKROOM_TOKEN": house.services.keys.token, "JOB": "", "IMAGE": "", "UPLOAD": ""}
    run = 0
    for block in BLOCK.findall(PAGE):
        for line in block.replace("\\\n", " ").split("\ncurl"):
            text = line if line.startswith("curl") else "curl" + line
            for name, value in known.items():
                text = text.replace(f"${name}", value)
            address, headers, body = arguments(shlex.split(text)[1:])
            if address == STREAM:
                continue
            method = "GET" if body is None else "POST"
            answer = house.client.request(method, address, headers=headers, content=body)
            assert answer.status_code in {200, 201}, (text, answer.text)
            run += 1
            if address == "/api/jobs":
                known["JOB"] = answer.json()["job"]["id"]
                if not known["IMAGE"]:
                    known["IMAGE"] = house.develop(png())
            if address == "/api/uploads":
                known["UPLOAD"] = answer.json()["id"]
    assert run == 8


def arguments(words: list[str]) -> tuple[str, dict[str, str], bytes | None]:
    """Address, headers and body of a command."""
    headers: dict[str, str] = {}
    address, body = "", None
    rest = iter(words)
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest).encode()
            json.loads(body)
        elif word == "--data-binary":
            assert next(rest) == "@photo.png"
            body = png()
        elif word == "-o":
            next(rest)
        elif not word.startswith("-"):
            address = urlsplit(word).path
    return address, headers, body
