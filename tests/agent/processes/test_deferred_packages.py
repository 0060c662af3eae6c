"""Deferred packages are imported at their first use; livekit-agents is the one this is for."""

from __future__ import annotations

import json
import subprocess
import sys

from agent.processes.deferred_packages import PACKAGES

BEGIN = """
import json, sys
from agent.processes import deferred_packages

deferred_packages.install()
deferred_packages.install()

def state():
    packages = [sys.modules.get(name) for name in deferred_packages.PACKAGES]
    return [None if package is None else type(package).__name__ for package in packages]
"""


def run_python(*parts: str) -> object:
    """The output of a Python of its own, as JSON."""
    done = subprocess.run(  # noqa: S603 - the code stands here
        [sys.executable, "-c", "\n".join(parts)],
        check=True,
        capture_output=True,
        timeout=60,
        text=True,
    )
    return json.loads(done.stdout)


def test_livekit_agents_asks_them_for_nothing() -> None:
    states = run_python(
        BEGIN,
        "import livekit.agents.__main__, livekit.agents.ipc._preload, agent.host.room_host",
        "print(json.dumps(state()))",
    )

    assert states == ["DeferredPackage"] * len(PACKAGES)


def test_deferred_packages_equal_imported_ones() -> None:
    """A deferred package has all its names once one of them is used."""
    imports = (
        "import openai, av, av.container, limits.aio",
        "openai.types.Embedding, openai.types.responses.Response",
        "av.AudioFrame, av.container.InputContainer, limits.aio.strategies",
        f"print(json.dumps([sorted(vars(sys.modules[name])) for name in {PACKAGES!r}]))",
    )

    eager = run_python("import json, sys", *imports)

    assert run_python(BEGIN, *imports) == eager


def test_one_is_run_once_when_something_in_it_is_asked_for() -> None:
    """Submodules do without what it has in itself."""
    states = run_python(
        BEGIN,
        "import openai.types.chat.chat_completion",
        "states = [state()[0]]",
        "from openai.types import realtime",
        "states.append(state()[0])",
        "first = sys.modules['openai.types'].Embedding",
        "from openai.types import *",
        "from openai.types.embedding import Embedding as again",
        "states.append(first is again is Embedding)",
        "print(json.dumps(states))",
    )

    assert states == ["DeferredPackage", "module", True]


def test_threads_that_ask_at_once_all_have_it() -> None:
    found = run_python(
        BEGIN,
        "import threading, openai",
        "gate, found = threading.Barrier(8), []",
        "def ask():",
        "    gate.wait()",
        "    found.append(openai.types.Embedding.__name__)",
        "threads = [threading.Thread(target=ask) for _ in range(8)]",
        "for thread in threads: thread.start()",
        "for thread in threads: thread.join()",
        "print(json.dumps(found))",
    )

    assert found == ["Embedding"] * 8


def test_a_missing_name_of_a_package_raises_as_usual() -> None:
    said = run_python(
        BEGIN,
        "import openai, av",
        "said = []",
        "for package in (openai.types, av):",
        "    for name in ('nothing', '__nothing__'):",
        "        try: getattr(package, name)",
        "        except AttributeError as error: said.append(str(error))",
        "print(json.dumps(said))",
    )

    assert said == [
        f"module {package!r} has no attribute {name!r}"
        for package in ("openai.types", "av")
        for name in ("nothing", "__nothing__")
    ]


def test_one_that_breaks_does_so_whenever_it_is_asked() -> None:
    said = run_python(
        BEGIN,
        "import tempfile, pathlib",
        "place = pathlib.Path(tempfile.mkdtemp()) / 'av'",
        "place.mkdir()",
        "(place / '__init__.py').write_text('1 / 0')",
        "sys.path.insert(0, str(place.parent))",
        "import av",
        "said = []",
        "for _ in range(2):",
        "    try: av.AudioFrame",
        "    except ZeroDivisionError as error: said.append(type(error).__name__)",
        "print(json.dumps(said))",
    )

    assert said == ["ZeroDivisionError"] * 2
