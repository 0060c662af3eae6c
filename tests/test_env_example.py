"""`.env.example` says what Settings says: every setting, in its order, with its default."""

import io
from pathlib import Path
from typing import cast

from dotenv import dotenv_values
from pydantic.fields import FieldInfo

from agent.config.settings import Settings
from tools.weather.weather_settings import WeatherSettings

EXAMPLE = Path(__file__).parent.parent / ".env.example"


FIELDS = [
    *((field.alias or name, field) for name, field in Settings.model_fields.items()),
    *((name.upper(), field) for name, field in WeatherSettings.model_fields.items()),
]
"""The worker's settings by their variables, and those of the default app's tools."""


def block(name: str, field: FieldInfo) -> list[str]:
    """The two lines of a setting; one with a default is commented out, so copying sets nothing."""
    default = field.default
    match default:
        case None:
            line = f"{name}="
        case bool():
            line = f"#{name}={str(default).lower()}"
        case tuple():
            names = cast("tuple[str, ...]", default)
            line = f"#{name}={','.join(names)}"
        case _:
            line = f"#{name}={default}"
    return [f"# {field.description}", line]


def test_names_every_setting_with_its_default_and_meaning() -> None:
    lines = EXAMPLE.read_text().splitlines()
    start = lines.index("") + 1

    settings = [line for line in lines[start:] if line]

    assert settings == [line for name, field in FIELDS for line in block(name, field)]


def test_a_copy_of_it_changes_nothing() -> None:
    copied = dotenv_values(EXAMPLE)

    assert Settings.from_environment({}, EXAMPLE).model_fields_set == set()
    assert not any(copied.values())


def test_the_defaults_in_it_are_valid_settings() -> None:
    text = EXAMPLE.read_text()
    names = [field.alias for field in Settings.model_fields.values()]
    for name in names:
        text = text.replace(f"\n#{name}=", f"\n{name}=")
    values = dotenv_values(stream=io.StringIO(text))

    settings = Settings.from_environment({name: values[name] or "" for name in names if name})

    assert settings == Settings.from_environment({})
