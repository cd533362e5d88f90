"""From what a client said to a Request: what it left unsaid, the settings may say.

Every HTTP surface makes its Requests here, so that the configuration file means the same to all of
them, and to the command line.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from darkroom import settings
from darkroom.contracts import Request

_FIELDS = tuple(entry.name for entry in fields(Request))
_SETTINGS = tuple(name for name in _FIELDS if name in settings.TABLE)


def completed(said: Mapping[str, Any]) -> Request:
    """The wish of these fields; None means not said, and so does `auto` where it is a choice.

    Raises:
        RequestError: the configuration cannot be read.
        TypeError: a Request has no such field.
    """
    values = {name: value for name, value in said.items() if value is not None}
    for name in _SETTINGS:
        if name not in values:
            values[name] = settings.read(name)
    if said.get("model") is None:
        values["model"] = settings.read_model(str(values.get("task")))
    return Request(
        **{
            name: value
            for name, value in values.items()
            if value is not None and not (name in _SETTINGS and value == "auto")
        }
    )
