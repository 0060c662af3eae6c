"""`schemas`: the JSON schemas of the wire, and the types of the TypeScript client made of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.cli.typescript import declarations
from agent.cli.wire_schemas import wire_schemas

CLIENT = Path(__file__).parents[3] / "client" / "src"


def test_the_types_of_the_client_are_those_of_the_worker() -> None:
    """`make wire-types` writes them."""
    assert (CLIENT / "wire.ts").read_text() == declarations(wire_schemas())


def test_the_command_prints_a_json_schema_in_which_everything_is_found() -> None:
    printed = CliRunner().invoke(app, ["schemas"])

    schemas: dict[str, Any] = json.loads(printed.stdout)
    jsonschema.Draft202012Validator.check_schema(schemas)
    references = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', printed.stdout))
    assert references <= schemas["$defs"].keys()
    assert printed.stdout.count('"$ref"') > len(references) > 50
    assert schemas["methods"].keys() >= {"describeTools", "getHistory", "patchState", "say"}


def test_declarations_have_optional_fields_literals_and_comments() -> None:
    schema = {
        "$defs": {
            "Card": {
                "description": "A card.\n\nMore.",
                "type": "object",
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": ["small", "large"]},
                    "a-b": {"type": "array", "items": {"anyOf": [{"type": "null"}, {}]}},
                    "at": {"description": "ends with */", "type": "integer"},
                },
            }
        },
        "topics": {},
        "methods": {"show": {"request": {"$ref": "#/$defs/Card"}, "answer": {"const": True}}},
        "clientMethods": {},
    }
    text = declarations(schema)
    assert (
        "/** A card. */\n"
        "export interface Card {\n"
        "  readonly kind: 'small' | 'large';\n"
        '  readonly "a-b"?: readonly (null | unknown)[];\n'
        "  /** Ends with * / */\n"
        "  readonly at?: number;\n"
        "}\n"
    ) in text
    assert "  readonly show: { readonly request: Card; readonly answer: true };\n" in text


def test_a_schema_without_a_typescript_type_is_an_error() -> None:
    schema = {"$defs": {"Odd": {"type": ["string", "null"]}}}
    with pytest.raises(TypeError, match="no TypeScript"):
        declarations(schema | {"topics": {}, "methods": {}, "clientMethods": {}})
