"""`.env.example` says what Settings says: every setting, in its order, with its default."""

import io
from pathlib import Path
from typing import cast

from dotenv import dotenv_values
from pydantic.fields import FieldInfo

from agent.config.settings import Settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"


def block(field: FieldInfo) -> list[str]:
    """The two lines of a setting; one with a default is commented out, so copying sets nothing."""
    default = field.default
    match default:
        case None:
            line = f"{field.alias}="
        case bool():
            line = f"#{field.alias}={str(default).lower()}"
        case tuple():
            names = cast("tuple[str, ...]", default)
            line = f"#{field.alias}={','.join(names)}"
        case _:
            line = f"#{field.alias}={default}"
    return [f"# {field.description}", line]


def test_names_every_setting_with_its_default_and_meaning() -> None:
    lines = EXAMPLE.read_text().splitlines()
    start = lines.index("") + 1

    settings = [line for line in lines[start:] if line]

    assert settings == [line for field in Settings.model_fields.values() for line in block(field)]


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
