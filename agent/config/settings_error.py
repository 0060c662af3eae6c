"""SettingsError: names wrong settings and the expected values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError

_SECRET_SETTINGS = ("DATABASE_URL", "MCP_SERVERS", "WEBHOOK_URLS")

_SECRET_WORDS = ("SECRET", "TOKEN", "PASSWORD")

_PLAIN = {
    "a valid integer": "a whole number",
    "a valid ": "a ",
    "a tuple": "a list",
    "a dictionary": "an object",
    "Field required": "a value",
    "Extra inputs are not permitted": "no such key",
}
"""Pydantic's words, and those of people who write settings."""


class SettingsError(ValueError):
    """One or more settings are missing or wrong. `problems` names each with the expected value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    @classmethod
    def of(cls, error: ValidationError, names: Mapping[str, str] | None = None) -> Self:
        """Pydantic's errors by setting, without the values of secrets.

        `names` are the environment variables of fields that pydantic calls otherwise.
        """
        return cls([_problem(detail, names or {}) for detail in error.errors()])


def _problem(detail: Any, names: Mapping[str, str]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails is generic over nothing we use
    name = str(detail["loc"][0]) if detail["loc"] else "settings"
    name = names.get(name, name)
    message = str(detail["msg"]).removeprefix("Value error, ")
    if name == "MCP_SERVERS":
        # The server's name and field, without the kind of server that pydantic inserts.
        name = ": ".join((name, *(str(part) for part in detail["loc"][1:2] + detail["loc"][3:])))
    secret = (
        any(word in name for word in _SECRET_WORDS)
        or name.endswith("KEY")
        or name.startswith(_SECRET_SETTINGS)
    )
    # For a missing value, pydantic's input is all the others.
    got = "" if secret or detail["type"] == "missing" else f", got {_shortened(detail['input'])}"
    return f"{name}: expected {_as_expectation(message)}{got}"


def _as_expectation(message: str) -> str:
    """Pydantic's sentence about a wrong value, turned into what was expected instead."""
    if "at least 1 item" in message:
        return "one or more names, separated by commas"
    message = re.sub(r", unable to .*", "", message)
    message = re.sub(r"^(Input|String|Value) should (be|have) ", "", message)
    for of_pydantic, plain in _PLAIN.items():
        message = message.replace(of_pydantic, plain)
    return message


def _shortened(value: object, length: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}…"
