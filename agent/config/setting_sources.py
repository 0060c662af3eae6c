"""Sources of settings: the environment and the `.env` file."""

from __future__ import annotations

import difflib
import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from agent.config.settings_error import SettingsError

SETTLED: Final = "AGENT_SETTINGS"
"""Set in an environment that has all settings, so that no file is read."""

_QUOTES: Final = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
"""Closing quotes by their opening quotes."""

SIMILARITY: Final = 0.88
"""Similarity to a setting's name (difflib's ratio) from which on a name counts as a typo."""


def read_dotenv(path: Path) -> dict[str, str | None]:
    """The variables of a file in UTF-8, with or without a byte order mark.

    Raises:
        SettingsError: it cannot be read, or is in another encoding.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise SettingsError([f"{path}: expected a text file in UTF-8; save it in that encoding"])
    return dict(dotenv_values(stream=io.StringIO(text), interpolate=True))


def given(
    names: Collection[str], environ: Mapping[str, str], dotenv: Path | None
) -> dict[str, str]:
    """The variables of these names that are set; the environment comes first."""
    values = {**_in_file(environ, dotenv), **environ}
    bare = {name: _without_quotes(values.get(name) or "") for name in names}
    return {name: value for name, value in bare.items() if value}


def names_in(environ: Mapping[str, str], dotenv: Path | None) -> frozenset[str]:
    """The variables that the file has and the environment does not."""
    return frozenset(_in_file(environ, dotenv)).difference(environ)


def misspelt(names: Collection[str], environ: Mapping[str, str], dotenv: Path) -> list[str]:
    """A sentence for each variable whose name is nearly one of these."""
    sentences: list[str] = []
    for name in sorted({*environ, *_in_file(environ, dotenv)}.difference(names)):
        near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=SIMILARITY)
        if near:
            sentences.append(f"{name} is not a setting: did you mean {near[0]}?")
    return sentences


def _in_file(environ: Mapping[str, str], dotenv: Path | None) -> dict[str, str | None]:
    if dotenv is None or SETTLED in environ or not dotenv.is_file():
        return {}
    return read_dotenv(dotenv)


def _without_quotes(value: str) -> str:
    """The value without enclosing quotes: `docker run --env-file` keeps them, and word processors
    bend them."""
    value = value.strip()
    start, end = value[:1], _QUOTES.get(value[:1], "")
    if end and len(value) > 1 and value.endswith(end):
        inner = value[1:-1]
        return value if start in inner or end in inner else inner
    return value
