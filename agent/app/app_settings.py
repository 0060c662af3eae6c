"""The settings of an app: classes of its own, read from the environment and checked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from agent.config.setting_sources import given
from agent.config.settings_error import SettingsError


def names_of(kind: type[BaseModel]) -> dict[str, str]:
    """The environment variables of a class of settings, and what pydantic calls each."""
    fields = kind.model_fields.items()
    return {field.alias or name.upper(): field.alias or name for name, field in fields}


def read_app_settings(
    kinds: Iterable[type[BaseModel]], environ: Mapping[str, str], dotenv: Path | None = None
) -> tuple[BaseModel, ...]:
    """The settings of these classes.

    Raises:
        SettingsError: lists every wrong or missing setting with the expected value.
    """
    read: list[BaseModel] = []
    problems: list[str] = []
    for kind in kinds:
        names = names_of(kind)
        values = given(names, environ, dotenv)
        try:
            read.append(kind.model_validate({names[name]: values[name] for name in values}))
        except ValidationError as error:
            problems += SettingsError.of(
                error, {field: name for name, field in names.items()}
            ).problems
    if problems:
        raise SettingsError(problems)
    return tuple(read)
