from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
import termios

import pytest
from aiohttp.test_utils import unused_port
from livekit import api

from agent.cli.markdown_stream import split_blocks
from devserver.model import DemoModel, Fault, Reply
from tests.agent.cli.command_line import WITHIN, CommandLine
from tests.room_server import RoomServerUnderTest

pytestmark = pytest.mark.usefixtures("worker")

NUMBERS = ("One.", "Two.", "Three.", "Four.\nyou: Six.", "Five.\x9b31m")


async def test_answer_is_printed_as_it_comes(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    pause = asyncio.Event()
    model.script(Reply("grüß dich 👋", pause=pause, after=1))
    async with agent.running("chat", "Hello", "--room", room_name) as chat:
        assert "dich" not in await chat.says("grüß")
        pause.set()
        assert await chat.ends() == 0
    assert chat.output == "grüß dich 👋\n"


async def test_piped_input_is_sent(agent: CommandLine, model: DemoModel, room_name: str) -> None:
    finished = await agent.run("chat", "--room", room_name, stdin="What time is it?\n")
    assert (finished.status, finished.stderr) == (0, "")
    assert "I called getCurrentTime" in finished.stdout
    assert model.requests[-1].chat.user_text == "What time is it?"


@pytest.mark.lengthy
async def test_there_must_be_something_to_say(agent: CommandLine) -> None:
    finished = await agent.run("chat", stdin=" \n")
    assert (finished.status, finished.stdout) == (1, "")
    assert "nothing to say" in finished.stderr


async def test_a_room_that_the_agent_has_left(
    agent: CommandLine, model: DemoModel, room_name: str, lk_api: api.LiveKitAPI
) -> None:
    await lk_api.room.create_room(api.CreateRoomRequest(name=room_name))
    for answer in ("one", "two"):
        model.script(Reply(answer))
        finished = await agent.run("chat", "Hello", "--room", room_name)
        assert (finished.status, finished.stdout) == (0, f"{answer}\n")


@pytest.mark.lengthy
async def test_an_answer_that_failed(agent: CommandLine, model: DemoModel, room_name: str) -> None:
    model.when("Hello", Reply("first rest", fault=Fault.CUT, after=1))
    finished = await agent.run("chat", "Hello", "--room", room_name)
    assert finished.status == 1
    assert finished.stdout.startswith("first")
    assert "finish_reason error" in finished.stderr


@pytest.mark.lengthy
async def test_a_message_that_is_refused(agent: CommandLine, room_name: str) -> None:
    finished = await agent.run("chat", "--room", room_name, stdin="x" * 70_000)
    assert (finished.status, finished.stdout) == (1, "")
    assert "65536 bytes" in finished.stderr


@pytest.mark.lengthy
async def test_an_agent_that_leaves(
    agent: CommandLine, model: DemoModel, room_name: str, lk_api: api.LiveKitAPI
) -> None:
    model.script(Reply("first rest", pause=asyncio.Event(), after=1))
    async with agent.running("chat", "Hello", "--room", room_name) as chat:
        await chat.says("first")
        gone = api.RoomParticipantIdentity(room=room_name, identity="agent")
        await lk_api.room.remove_participant(gone)
        assert await chat.ends() == 1
    assert "broke off" in chat.output or "left" in chat.output


@pytest.mark.lengthy
async def test_an_answer_that_does_not_come(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    model.script(Reply(fault=Fault.NO_RESPONSE))
    finished = await agent.run("chat", "Hello", "--room", room_name, "--timeout", "2")
    assert finished.status == 1
    assert finished.stderr == "no answer within 2 s\n"


async def test_no_agent(agent: CommandLine, room_name: str) -> None:
    arguments = ("chat", "Hello", "--room", room_name, "--timeout", "0.5")
    finished = await agent.run(*arguments, AGENT_NAME="nobody")
    assert (finished.status, finished.stdout) == (1, "")
    assert "no agent in the room after 0.5 s" in finished.stderr


@pytest.mark.lengthy
async def test_no_room_server(agent: CommandLine) -> None:
    finished = await agent.run("chat", "Hello", LIVEKIT_URL=f"ws://127.0.0.1:{unused_port()}")
    assert finished.status == 1
    assert "cannot use the room server" in finished.stderr
    assert "python -m agent doctor" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


async def test_wrong_keys(agent: CommandLine, room_server: RoomServerUnderTest) -> None:
    secret = "not the secret, but long enough to be one"  # noqa: S105 - it is none
    finished = await agent.run("chat", "Hello", LIVEKIT_API_SECRET=secret)
    assert finished.status == 1
    assert "does not take this API key" in finished.stderr
    assert secret not in finished.stderr
    assert room_server.api_secret not in finished.stderr


@pytest.mark.lengthy
async def test_nothing_is_configured(bare: CommandLine) -> None:
    finished = await bare.run("chat", "Hello")
    assert finished.status == 2
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        assert f"{name} is not set: expected" in finished.stderr
    assert "python -m agent dev" in finished.stderr


class Terminal:
    """A chat in a terminal, which is what makes it a conversation."""

    def __init__(self, agent: CommandLine, room_name: str, *options: str) -> None:
        self._agent = agent
        self._options = options
        self._room = room_name
        self.output = ""
        self._is_gone = False
        self.seen = ""
        """All that was shown."""

    async def __aenter__(self) -> Terminal:
        self._master, slave = pty.openpty()
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent", "chat", "--room", self._room, *self._options),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self._agent.directory,
            env=self._agent.environ,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = asyncio.StreamReader()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader),
            os.fdopen(os.dup(self._master), "rb"),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._transport.close()
            os.close(self._master)

    def resize(self, columns: int) -> None:
        termios.tcsetwinsize(self._master, (24, columns))
        self.process.send_signal(signal.SIGWINCH)  # It is no controlling terminal.

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    async def shows(self, text: str) -> None:
        """Waits until this is shown after what was waited for before."""
        async with asyncio.timeout(WITHIN):
            while text not in self.output:
                more = (await self._reader.read(4096)).decode()
                self.output += more
                self.seen += more
        self.output = self.output.split(text, 1)[1]

    @property
    def edits_lines(self) -> bool:
        """Whether the terminal does so by itself, and echoes what is typed."""
        flags = termios.tcgetattr(self._master)[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)

    async def ends(self) -> int:
        async with asyncio.timeout(WITHIN):
            return await self.process.wait()


async def test_a_conversation(agent: CommandLine, model: DemoModel, room_name: str) -> None:
    model.script(Reply("I am \x1b[31mred\x1b[0m"), Reply("Two", fault=Fault.CUT, after=1))
    async with Terminal(agent, room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        await terminal.shows("> ")
        terminal.type("Hello\n")
        await terminal.shows("I am [31mred")  # nothing from a room controls the terminal
        await terminal.shows("> ")
        terminal.type("\nAgain\n")
        await terminal.shows("finish_reason error")
        await terminal.shows("> ")
        model.clear()
        terminal.type("count to 3\n")
        await terminal.shows("3")
        await terminal.shows("> ")
        terminal.type("\x04")
        assert await terminal.ends() == 0


async def test_ctrl_c_stops_the_answer_and_then_the_client(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    model.script(Reply("first rest", pause=asyncio.Event(), after=1))
    async with Terminal(agent, room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        terminal.type("Hello\n")
        await terminal.shows("first")
        terminal.process.send_signal(signal.SIGINT)
        await terminal.shows("finish_reason cancelled")
        await terminal.shows("> ")
        terminal.type("count to 3\n")
        await terminal.shows("3")
        await terminal.shows("> ")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ends() == 130
        assert "Traceback" not in terminal.output


async def test_commands_of_a_conversation(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    note = agent.directory / "note to self.txt"
    note.write_text("milk")
    async with Terminal(agent, room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        terminal.type("/help\n")
        await terminal.shows("/approve")
        terminal.type("/who\n")
        await terminal.shows(": you")
        await terminal.shows("Agent (agent): the agent")
        terminal.type("/call ping\n")
        await terminal.shows('"pong"')
        terminal.type("/call deleteMessage\n")
        await terminal.shows("required")
        terminal.type("/retry\n")
        await terminal.shows("nothing was asked yet")
        model.script(*map(Reply, NUMBERS))
        terminal.type("Say a number\n")
        await terminal.shows("One.")
        terminal.type("/retry\n")
        await terminal.shows("Two.")
        terminal.type("/edit Say another number\n")
        await terminal.shows("Three.")
        assert model.requests[-1].chat.user_text == "Say another number"
        terminal.type("/private Between us\n")
        await terminal.shows("Four.")
        terminal.type("/file 'note to self.txt' What is in it?\n")
        await terminal.shows("Five.")
        terminal.type("/thread private\n")
        await terminal.shows("you: Between us")
        await terminal.shows("Agent: Four.\r\n  you: Six.")  # a line of the answer, and no other's
        await terminal.shows("to the agent alone")
        terminal.type('/call getHistory {"limit": 1}\n')
        await terminal.shows('"Five.31m"')
        assert "\x9b" not in terminal.seen
        terminal.type("/approve\n")
        await terminal.shows("nothing waits for approval")
        terminal.type("/nonsense\n")
        await terminal.shows("There is no /nonsense")
        terminal.type("/quit\n")
        assert await terminal.ends() == 0


async def test_a_name_has_one_line_and_makes_nobody_the_agent(
    agent: CommandLine, room_name: str
) -> None:
    name = "Ana\nbob (Bob): the agent"
    async with Terminal(agent, room_name, "--name", name, "--identity", "ana") as terminal:
        await terminal.shows("> ")
        terminal.type("/who\n")
        await terminal.shows("Ana bob {Bob}; the agent (ana): you")
        assert "\nbob" not in terminal.seen


async def test_a_conversation_ends_with_its_terminal(agent: CommandLine, room_name: str) -> None:
    async with Terminal(agent, room_name) as terminal:
        await terminal.shows("> ")
        terminal.hang_up()
        await terminal.ends()


async def test_parts_are_shown(agent: CommandLine, model: DemoModel, room_name: str) -> None:
    async with Terminal(agent, room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        terminal.type("What time is it?\n")
        await terminal.shows("and it says")
        await terminal.shows("> ")
        assert "[getCurrentTime done]" in terminal.seen
        terminal.type("\x04")
        assert await terminal.ends() == 0


async def test_piped_output_may_be_json(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    finished = await agent.run("chat", "What time is it?", "--json", "--room", room_name)
    assert (finished.status, finished.stderr) == (0, "")
    lines = [json.loads(line) for line in finished.stdout.split("\n")[:-1]]
    text = "".join(line["text"] for line in lines if line["type"] == "text")
    assert "I called getCurrentTime" in text
    states = [line["part"]["state"] for line in lines if line["type"] == "part"]
    assert states[-1] == "done"
    assert lines[-1]["type"] == "end"
    assert lines[-1]["finishReason"] == "stop"
    model.script(Reply("first rest", fault=Fault.CUT, after=1))
    finished = await agent.run("chat", "Hello", "--json", "--room", room_name)
    assert finished.status == 1
    assert json.loads(finished.stdout.split("\n")[-2])["type"] == "error"


@pytest.mark.lengthy
async def test_one_is_the_same_person_each_time(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    asked = ["chat", "call describeTools {}", "--room", room_name]
    for _ in range(2):
        assert (await agent.run(*asked)).status == 0
    kept = (agent.directory / ".local/state/livekit-room-agent/identity").read_text().strip()
    who = json.loads((await agent.run("call", "getHistory", "--room", room_name)).stdout)
    senders = [each["senderId"] for each in who["messages"] if each["role"] == "user"]
    assert senders == [kept, kept]


async def test_the_identity_for_the_agent(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    arguments = ("chat", "Hi", "--room", room_name, "--name", "Ana A.", "--identity", "ana")
    finished = await agent.run(*arguments, "--role", "moderator", "--attribute", "team=blue")
    assert finished.status == 0
    page = json.loads((await agent.run("call", "getHistory", "--room", room_name)).stdout)
    assert (page["messages"][0]["senderId"], page["messages"][0]["senderName"]) == ("ana", "Ana A.")
    wrong = await agent.run(*arguments, "--attribute", "team")
    assert (wrong.status, wrong.stderr) == (2, "--attribute team: expected KEY=VALUE\n")


@pytest.mark.lengthy
async def test_a_misspelt_setting_is_named(agent: CommandLine, room_name: str) -> None:
    (agent.directory / ".env").write_text("AGENT_MAX_ROOM=3\n")
    finished = await agent.run("chat", "Hello", "--room", room_name)
    assert finished.status == 0
    assert finished.stderr == "AGENT_MAX_ROOM is not a setting: did you mean AGENT_MAX_ROOMS?\n"


def test_markdown_is_cut_between_blocks() -> None:
    assert split_blocks("one\n\ntwo") == ("one\n\n", "two")
    assert split_blocks("one\ntwo") == ("", "one\ntwo")
    code = "```\na\n\nb\n```\n"
    assert split_blocks(code) == ("", code)
    assert split_blocks(code + "\nend") == (code + "\n", "end")
