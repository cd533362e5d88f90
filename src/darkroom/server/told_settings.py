"""The settings with where each value comes from, for the page."""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from darkroom import settings
from darkroom.errors import DarkroomError


def told_settings() -> list[dict[str, Any]]:
    """One row a setting.  A value that cannot be meant is told as its own error."""
    written = _written()
    return [_row(setting, written) for setting in settings.TABLE.values()]


def _row(setting: settings.Setting, written: Mapping[str, Any]) -> dict[str, Any]:
    source = "default"
    if setting.environment in os.environ:
        source = "environment"
    elif setting.name in written:
        source = "file"
    value, error = setting.default, None
    try:
        value = settings.read(setting.name)
    except DarkroomError as found:
        error = found.message
    return {
        "name": setting.name,
        "value": value,
        "source": source,
        "error": error,
        "default": setting.default,
        "help": setting.help,
        "choices": list(setting.choices),
        "type": {str: "text", int: "integer", float: "number", bool: "boolean"}[setting.type],
        "flag": setting.flag,
        "environment": setting.environment,
    }


def _written() -> Mapping[str, Any]:
    """What the configuration file says; nothing where it cannot be read, which `read` tells."""
    with suppress(OSError, ValueError):
        return tomllib.loads(settings.config_file().read_text(encoding="utf-8"))
    return {}
