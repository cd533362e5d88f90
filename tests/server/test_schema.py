"""Whatever fits the API's document, or nearly does, gets an answer that the document knows."""

import re
from typing import Any

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from tests.server.conftest import ADDRESS, House

# What an answer may never hold, whatever was asked.
SECRET = re.compile(r"/(?:home|root|tmp|usr|work|var|private)/|[A-Z]:\\\\|Traceback|0x[0-9a-f]{6,}")
ENDLESS = "/api/events"  # it has tests of its own
EXAMPLES = 12  # for each operation


CHECKS: list[Any] = [not_a_server_error, content_type_conformance, response_schema_conformance]


def test_no_fault_and_no_leak(shared: House) -> None:
    key = {"host": "127.0.0.1:7860", "authorization": f"Bearer {shared.services.keys.token}"}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", shared.app, headers=key)
    seen = set()

    def ask(case: Any) -> None:
        answer = case.call(headers=key, base_url=ADDRESS)
        ours = case.path.startswith("/api/")
        case.validate_response(answer, checks=CHECKS if ours else CHECKS[:1])
        if answer.status_code >= 400:
            assert not SECRET.search(answer.text), answer.text
        assert shared.services.keys.token not in answer.text
        assert shared.services.keys.session not in answer.text
        seen.add((case.method, case.path, answer.status_code // 100))

    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        waits = operation.method.upper() == "POST" and not operation.path.startswith("/api/")
        if operation.path != ENDLESS and not waits:  # for images, which nobody makes here
            few = hypothesis.settings(max_examples=EXAMPLES)
            few(hypothesis.given(case=operation.as_strategy())(ask))()
    assert len({(method, path) for method, path, _ in seen}) > 40
    assert len([one for one in seen if one[2] == 2]) > 10
