"""The documents say what the code says, lead to where they say, and hold code that can be read."""

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic.fields import FieldInfo

from agent.config.settings import Settings
from agent.parts.part_actions import PartActions
from agent.rpc.answer_methods import answer_methods
from agent.rpc.backend_methods import backend_methods
from agent.rpc.erasure_methods import erase_data_tool
from agent.rpc.message_methods import message_methods
from agent.rpc.room_control import RoomControl
from agent.rpc.state_methods import state_methods
from agent.rpc.thread_methods import thread_methods
from agent.state.room_states import RoomStates
from toolkit.errors import ToolError
from tools import TOOLS
from tools.weather.weather_settings import WeatherSettings

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
WIRE_CONTRACT = (ROOT / "docs" / "wire-contract.md").read_text()

NO_ROOM = cast("RoomControl", None)
NO_STATES = cast("RoomStates", None)
"""For methods that are looked at and not called."""

_CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def row(variable: str, field: FieldInfo) -> str:
    """The line of a setting in the tables of docs/configuration.md."""
    default = field.default
    match default:
        case None | "" | ():
            text = "none"
        case bool():
            text = f"`{str(default).lower()}`"
        case tuple():
            text = f"`{','.join(cast('tuple[str, ...]', default))}`"
        case _:
            text = f"`{default}`"
    return f"| `{variable}` | {text} | {field.description} |"


def links(text: str) -> Iterator[str]:
    """The links of a document, except those to other sites."""
    for target in re.findall(r"\]\(([^)\s]+)\)", _CODE.sub("", text)):
        if "://" not in target:
            yield target


def anchors(text: str) -> set[str]:
    """A document's headings, as links name them."""
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", text), re.M)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_setting_is_in_the_configuration_guide_with_its_default_and_meaning() -> None:
    lines = (ROOT / "docs" / "configuration.md").read_text().splitlines()

    rows = [line for line in lines if line.startswith("| `")]

    assert rows == [
        *(row(field.alias or name, field) for name, field in Settings.model_fields.items()),
        *(row(name.upper(), field) for name, field in WeatherSettings.model_fields.items()),
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document.read_text()):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_examples_in_python_can_be_read(document: Path) -> None:
    for language, code in cast("list[tuple[str, str]]", _CODE.findall(document.read_text())):
        if language == "python":
            compile(code, name(document), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_direct_dependency_is_in_the_dependency_guide_with_its_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    wanted = {each for group in groups for each in group if isinstance(each, str)}

    rows = re.findall(r"^\| (\S+) ([~>]=\S+) \|", (ROOT / "docs/dependencies.md").read_text(), re.M)

    assert {f"{package}{version}" for package, version in rows} == wanted


def test_the_methods_in_the_wire_contract_are_tools_with_these_arguments() -> None:
    """A tool of your own need not stand there."""
    rows = re.findall(r"^\| `(\w+)` \| `\{(.*?)\}`.*$", WIRE_CONTRACT, re.M)
    documented = {method: set(re.findall(r'"(\w+)"\??:', payload)) for method, payload in rows}

    own = [make(NO_ROOM) for make in (answer_methods, message_methods, thread_methods)]
    own.append((PartActions().method(), *state_methods("", NO_STATES, "nobody")))
    own.append((erase_data_tool(cast("Any", None), cast("Any", None)),))
    own.append(backend_methods(*cast("tuple[Any, Any, Any, Any]", (None,) * 4)))
    arguments = {tool.name: set(tool.parameters.names) for tool in chain(TOOLS, *own)}
    assert documented.items() <= arguments.items()
    assert documented.keys() >= {"getWeather", *(tool.name for tool in chain(*own))}


@pytest.mark.parametrize("error", ToolError.__subclasses__(), ids=lambda error: error.__name__)
def test_every_error_code_is_in_the_wire_contract(error: type[ToolError]) -> None:
    assert re.search(rf"^(?:\| )?{error.code}\b", WIRE_CONTRACT, re.M)
