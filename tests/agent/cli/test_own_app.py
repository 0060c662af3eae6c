"""An app in a file of one's own, by `start`, `dev` and LiveKit's own command."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import cast

import pytest
from livekit import api

from devserver.model import DemoModel, Reply
from tests.agent.chat_client import ChatClient
from tests.agent.cli.command_line import CommandLine
from tests.room_server import RoomServerUnderTest

APP = """
from agent import App
from toolkit import tool

@tool
async def find_order(number: str) -> str:
    \"\"\"Find an order.\"\"\"
    return f"order {number} %s"

app = App(instructions="%s", tools=[find_order])
"""


def write_app(line: CommandLine, *, instructions: str = "Be brief.", found: str = "found") -> Path:
    path = line.directory / "my_app.py"
    path.write_text(APP % (found, instructions))
    return path


def asked(model: DemoModel) -> list[object]:
    """The messages of the last request to the model."""
    messages = cast("list[dict[str, object]]", model.requests[-1].body["messages"])
    return [message["content"] for message in messages]


WRONG_APP = "APP=my_app.py: my_app has no app; there is no App in it\n"


@pytest.mark.parametrize(
    "command", [("start",), pytest.param(("dev", "--no-page"), marks=pytest.mark.lengthy)]
)
async def test_a_wrong_app_is_one_sentence(agent: CommandLine, command: tuple[str, ...]) -> None:
    (agent.directory / "my_app.py").write_text("")
    finished = await agent.run(*command, "--app", "my_app.py", OPENAI_API_KEY="k")
    assert (finished.status, finished.stderr) == (2, WRONG_APP)


async def test_settings_of_its_tools_are_checked_at_the_start(agent: CommandLine) -> None:
    (agent.directory / "my_app.py").write_text(
        "from pydantic import BaseModel\nfrom agent import App\n"
        "class Shop(BaseModel):\n    shop_pages: int\n"
        "app = App(settings=[Shop])\n"
    )
    finished = await agent.run("start", APP="my_app:app", SHOP_PAGES="many")
    assert finished.status == 2
    assert finished.stderr == "SHOP_PAGES: expected a whole number, got 'many'\n"


@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.lengthy)])
async def test_start_runs_it(
    agent: CommandLine, room_name: str, model: DemoModel, processes: str
) -> None:
    write_app(agent, instructions="Speak like a pirate.")
    name = f"own-{room_name}"
    (agent.directory / ".env").write_text("APP=my_app.py\n")
    async with agent.running("start", "--processes", processes, AGENT_NAME=name) as running:
        await running.says("registered worker")
        finished = await agent.run(
            "call", "findOrder", '{"number": "7"}', "--room", room_name, AGENT_NAME=name
        )
        assert finished.stdout == "order 7 found\n"
        assert (await agent.run("call", "ping", "--room", room_name, AGENT_NAME=name)).status == 1
        model.script(Reply("Arr"))
        chat = await agent.run("chat", "Hello", "--room", room_name, AGENT_NAME=name)
        assert chat.stdout == "Arr\n"
        assert asked(model)[0] == "Speak like a pirate."
        assert await running.stop(signal.SIGTERM) == 0


@pytest.mark.lengthy
async def test_doctor_names_its_agents(agent: CommandLine) -> None:
    write_app(agent)
    finished = await agent.run("doctor", APP="my_app:app")
    assert finished.status == 0, finished.stdout
    assert "my_app:app: one agent" in finished.stdout
    assert "weather" not in finished.stdout


async def test_dev_goes_on_with_what_has_changed(
    agent: CommandLine, room_server: RoomServerUnderTest, room_name: str, model: DemoModel
) -> None:
    """Somebody who is in a room meanwhile keeps their conversation."""
    path = write_app(agent)
    name = f"dev-{room_name}"
    async with agent.running("dev", "--no-page", "--app", "my_app.py", AGENT_NAME=name) as running:
        await running.says("Ctrl-C stops everything.")
        client = ChatClient()
        token = room_server.access_token("alice", room_name)
        await client.room.connect(room_server.url, with_agent(token, name))
        await client.until_ready()
        model.script(Reply("First"))
        await client.ask("What comes first?")

        path.write_text("app = = 1")
        await running.says("invalid syntax")
        await running.says("the previous version keeps running")
        assert (await client.call("findOrder", '{"number": "1"}')) == "order 1 found"

        former = client.agent_sid
        write_app(agent, found="found anew")
        await running.says("the new version answers from now on")
        await client.until_ready_again(former)
        assert (await client.call("findOrder", '{"number": "1"}')) == "order 1 found anew"
        model.script(Reply("Second"))
        await client.ask("What comes second?")
        assert asked(model)[1:] == ["What comes first?", "First", "What comes second?"]
        await client.room.disconnect()
        assert await running.stop(signal.SIGTERM) == 0


def with_agent(token: api.AccessToken, name: str) -> str:
    agents = [api.RoomAgentDispatch(agent_name=name)]
    return token.with_room_config(api.RoomConfiguration(agents=agents)).to_jwt()


OWN_STORE = """
from agent import App
from examples.own_history.own_history import Turns
app = App(history=lambda: Turns("turns.db"))
"""

ERASING = """
from agent import App
from tests.agent.history.stores import FullStore
app = App(history=FullStore)
"""


@pytest.mark.lengthy
async def test_a_store_that_cannot_be_made_is_one_sentence(agent: CommandLine) -> None:
    (agent.directory / "my_app.py").write_text(
        "from agent import App\napp = App(history=lambda: 1 / 0)\n"
    )
    finished = await agent.run("start", APP="my_app:app", OPENAI_API_KEY="k")
    sentence = "App: history could not be made: ZeroDivisionError('division by zero')"
    assert (finished.status, finished.stderr.splitlines()[-1]) == (2, sentence)


async def test_data_of_an_app_s_store_is_erased_and_not_exported(agent: CommandLine) -> None:
    path = str(Path(__file__).parents[3])
    (agent.directory / "own.py").write_text(OWN_STORE)
    (agent.directory / "erasing.py").write_text(ERASING)
    own = {"APP": "own:app", "PYTHONPATH": path}
    exported = await agent.run("export", "conversation", "--room", "shop", **own)
    assert exported.status == 1
    assert "the app keeps its messages in a store of its own" in exported.stderr
    refused = await agent.run("erase", "--room", "shop", "--yes", **own)
    assert refused.status == 1
    assert "the store of the app has no remove" in refused.stderr
    erased = await agent.run("erase", "--room", "shop", "--yes", APP="erasing:app", PYTHONPATH=path)
    assert erased.status == 0
    assert '"messages": 0' in erased.stdout
