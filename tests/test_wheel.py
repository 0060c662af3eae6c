"""The wheel: what is in it, and an app of one's own that it runs in an environment of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from devserver.model import DemoModel, Reply
from tests.room_server import RoomServerUnderTest

ROOT = Path(__file__).parent.parent
WITHIN = 120

APP = '''
from agent import App, Persona
from toolkit import tool

@tool
async def find_order(number: str) -> str:
    """Find an order."""
    return f"order {number}"

app = App({"shop": Persona("You sell books.", tools=[find_order])})
'''

HOOKS = """
from agent import Answer, Room, Turn
from toolkit import Caller

async def look_up(turn: Turn) -> None:
    turn.add_context(turn.text)
    turn.answer(17)

async def note(turn: Turn, answer: Answer) -> None:
    print(answer.text, turn.text)

async def greet(room: Room, person: Caller) -> None:
    room.say(f"Hello, {person.name}")

another = App(before_answer=look_up, after_answer=note, on_join=greet)
"""


def run(*command: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - commands of the tests' own
        command,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with uv's own backend: nothing is fetched."""
    out = tmp_path_factory.mktemp("wheel")
    uv = str(Path(sys.executable).parent / "uv")
    built = run(uv, "build", "--wheel", "--offline", "-o", str(out), str(ROOT), cwd=out)
    assert built.returncode == 0, built.stderr
    [wheel] = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def script(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script in an environment with the wheel, and with what it depends on as this
    environment has it: the index is not asked."""
    venv = tmp_path_factory.mktemp("environment") / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", str(venv), cwd=venv.parent)
    assert made.returncode == 0, made.stderr
    python = venv / "bin" / "python"
    uv = str(Path(sys.executable).parent / "uv")
    installed = run(
        *(uv, "pip", "install", "--offline", "--no-deps", "--python", str(python), str(wheel)),
        cwd=venv.parent,
    )
    assert installed.returncode == 0, installed.stderr
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return venv / "bin" / "livekit-room-agent"


def test_it_has_the_worker_and_the_toolkit_alone(wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")]
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "agent",
        "toolkit",
    }
    others = [name for name in names if not name.endswith(".py") and ".dist-info" not in name]
    assert sorted(others) == ["agent/py.typed", "toolkit/py.typed"]


def test_dev_says_what_is_missing(script: Path, tmp_path: Path) -> None:
    dev = run(str(script), "dev", cwd=tmp_path, XDG_RUNTIME_DIR=str(tmp_path))
    assert dev.returncode == 1
    assert "no room server: set LIVEKIT_URL, put livekit-server on PATH, or install" in dev.stderr


@pytest.mark.lengthy
@pytest.mark.timeout(3 * WITHIN)
def test_type_checkers_see_its_types(script: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP + HOOKS)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    checker = str(Path(sys.executable).parent / "basedpyright")
    python = str(script.parent / "python")
    checked = run(checker, "--pythonpath", python, "shop.py", cwd=tmp_path)
    found = [line for line in checked.stdout.splitlines() if " - " in line]
    assert len(found) == 1, checked.stdout
    assert 'error: Argument of type "Literal[17]" cannot be assigned' in found[0]


@contextlib.asynccontextmanager
async def started(script: Path, cwd: Path, environ: dict[str, str]) -> AsyncGenerator[None]:
    process = await asyncio.create_subprocess_exec(
        str(script),
        *("start", "--app", "agent.py", "--processes", "2"),
        cwd=cwd,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        said = b""
        async with asyncio.timeout(WITHIN):
            while b"registered worker" not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        yield
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN):
            said += await process.stdout.read()
            assert await process.wait() == 0, said.decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.lengthy
@pytest.mark.timeout(3 * WITHIN)
async def test_an_app_that_is_called_like_the_package(
    script: Path,
    room_server: RoomServerUnderTest,
    model: DemoModel,
    room_name: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "agent.py").write_text(APP)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LIVEKIT_URL": room_server.url,
        "LIVEKIT_API_KEY": room_server.api_key,
        "LIVEKIT_API_SECRET": room_server.api_secret,
        "OPENAI_BASE_URL": model.base_url,
        "AGENT_NAME": f"wheel-{room_name}",
        "HTTP_PORT": "0",
        "DRAIN_TIMEOUT": "1",
    }
    async with started(script, tmp_path, environ):
        model.script(Reply("A book?"))
        for arguments, expected in (
            (("call", "findOrder", '{"number": "7"}'), "order 7\n"),
            (("chat", "Hello"), "A book?\n"),
        ):
            done = await asyncio.to_thread(
                run, str(script), *arguments, "--room", room_name, cwd=tmp_path, **environ
            )
            assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


@pytest.fixture
async def model() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model:
        yield model
