"""Typing in the terminal's conversation: completion, former lines, and what is said meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import pty
import signal
import sys
import termios
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import cast

import pytest

from agent.cli.command import CommandError
from agent.cli.conversation import Conversation
from agent.cli.line_editor import Completion
from agent.cli.typed_lines import PASTES_ARE_MARKED, PASTES_ARE_TYPED, TypedLines
from agent.client import RoomAgent
from agent.client.answer import Answer
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.cli.command_line import CommandLine
from tests.agent.cli.test_chat import Terminal
from tests.agent.conftest import StartWorker, Worker
from tests.conftest import Join
from toolkit import ToolContext, tool


@pytest.mark.usefixtures("worker")
async def test_tab_completes_commands_methods_people_and_paths(
    agent: CommandLine, model: DemoModel, room_name: str, join: Join
) -> None:
    (agent.directory / "letters").mkdir()
    (agent.directory / "letters" / "note.txt").write_text("milk")
    await join("bob")
    async with Terminal(agent, room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        await terminal.shows("> ")
        terminal.type("/\t")
        await terminal.shows("/approve")
        await terminal.shows("/who")
        terminal.type("cal\tpin\t\n")
        await terminal.shows("> /call ping ")
        await terminal.shows('"pong"')
        await terminal.shows("> ")
        terminal.type("\x1b[A")
        await terminal.shows("> /call ping ")
        terminal.type("\x15/file le\tno\t\n")
        await terminal.shows("> /file letters/note.txt ")
        await terminal.shows("sent note.txt")
        await terminal.shows("> ")
        terminal.type("/file ~nobody-has-this-name/\t\n")
        await terminal.shows("~nobody-has-this-name/: ")
        await terminal.shows("> ")
        model.script(Reply("I greet him."))
        terminal.type("Greet BO\t\n")
        await terminal.shows("I greet him.")
        assert model.requests[-1].chat.user_text == "Greet bob"
        await terminal.shows("> ")
        terminal.type("\x04")
        assert await terminal.ends() == 0
        assert terminal.edits_lines


@pytest.mark.usefixtures("worker")
async def test_text_typed_during_an_answer_appears_at_the_prompt(
    agent: CommandLine, model: DemoModel, room_name: str
) -> None:
    pause = asyncio.Event()
    model.script(Reply("first rest", pause=pause, after=1), Reply("Yes."), Reply("No."))
    async with Terminal(agent, room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        await terminal.shows("> ")
        terminal.type("Hello\n")
        await terminal.shows("first")
        terminal.type("Are you thx")
        await terminal.shows("Are you thx")
        terminal.type("\x7f")
        await terminal.shows("\b \b")
        terminal.type("ere,\x1b[200~\rMr. Agent?\n\n\x1b[201~")
        await terminal.shows("ere,↵Mr. Agent?↵↵")
        terminal.type("\nReal")
        await terminal.shows("Real")
        pause.set()
        await terminal.shows("> Are you there,\r\nMr. Agent?")
        await terminal.shows("Yes.")
        assert model.requests[-1].chat.user_text == "Are you there,\nMr. Agent?"
        await terminal.shows("> Real")
        assert not terminal.edits_lines
        terminal.type("ly?\n")
        await terminal.shows("No.")
        assert model.requests[-1].chat.user_text == "Really?"
        await terminal.shows("> ")
        model.script(Reply("Two."))
        terminal.type("\x1b[200~one\rtwo\t\x1b[201~\n")
        await terminal.shows("Two.")
        assert model.requests[-1].chat.user_text == "one\ntwo"
        await terminal.shows("> ")
        marked, typed = (terminal.seen.count(it) for it in (PASTES_ARE_MARKED, PASTES_ARE_TYPED))
        assert marked == typed + 1
        terminal.type("half a li")
        await terminal.shows("half a li")
        terminal.process.send_signal(signal.SIGTSTP)
        await terminal.shows("\n")
        assert terminal.edits_lines
        terminal.process.send_signal(signal.SIGCONT)
        await terminal.shows("> half a li")
        assert not terminal.edits_lines
        terminal.resize(11)
        await terminal.shows("> alf a li")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ends() == 130
        assert terminal.edits_lines


async def test_a_terminal_that_cannot_be_read_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()

    def no_name(_: int) -> str:
        raise OSError(errno.ENOENT, "No such file or directory")

    with os.fdopen(master), os.fdopen(slave, "r+b", buffering=0) as raw:
        before = termios.tcgetattr(slave)
        terminal = io.TextIOWrapper(raw, write_through=True)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(os, "ttyname", no_name)
        typed = TypedLines("> ", lambda _: Completion(0, ()))
        typed.ask()
        assert termios.tcgetattr(slave) != before
        with pytest.raises(CommandError, match="the terminal cannot be read"):
            await typed.read()
        assert termios.tcgetattr(slave) == before
        assert typed.lines.get_nowait() is None


@contextlib.contextmanager
def as_terminal(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[int, int]]:
    """Makes a new terminal that of this process; yields both of its ends."""
    master, slave = pty.openpty()
    with os.fdopen(master, closefd=True), os.fdopen(slave, "r+b", buffering=0) as raw:
        terminal = io.TextIOWrapper(raw, write_through=True)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "stdout", terminal)
        yield master, slave


async def test_a_client_in_the_background_leaves_the_terminal_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with as_terminal(monkeypatch) as (master, slave):
        before = termios.tcgetattr(slave)
        typed = TypedLines("> ", lambda _: Completion(0, ()))
        typed.ask()
        keys = termios.tcgetattr(slave)
        reading = asyncio.create_task(typed.read())
        await asyncio.sleep(0)
        termios.tcsetattr(slave, termios.TCSANOW, before)
        owner, was_asked = os.getpgrp() + 1, asyncio.Event()

        def owner_of(_: int) -> int:
            was_asked.set()
            return owner

        monkeypatch.setattr(os, "tcgetpgrp", owner_of)
        async with asyncio.timeout(20):
            signal.raise_signal(signal.SIGCONT)
            await was_asked.wait()
            assert termios.tcgetattr(slave) == before
            was_asked.clear()
            owner = os.getpgrp()
            signal.raise_signal(signal.SIGCONT)
            await was_asked.wait()
            assert termios.tcgetattr(slave) == keys
        os.write(master, b"\x04")
        await reading


class Listener:
    """An agent that answers one question, and is silent after the next one until it is stopped."""

    def __init__(self, keyboard: int) -> None:
        self._keyboard = keyboard
        self.room = SimpleNamespace(isconnected=lambda: True, remote_participants={})
        self.method_names = ()
        self.asked: list[str] = []
        self.stopped: list[str | None] = []
        self._stop = asyncio.Event()

    async def ask(self, text: str, **_: object) -> Answer:
        self.asked.append(text)
        if len(self.asked) > 1:
            signal.raise_signal(signal.SIGINT)
            await self._stop.wait()
        os.write(self._keyboard, b"Two\n" if len(self.asked) == 1 else b"\x04")
        answer = Answer(f"m-{len(self.asked)}", silence=20.0)
        answer.end("stop")
        answer.finish()
        return answer

    async def stop(self, message_id: str | None = None) -> list[str]:
        self.stopped.append(message_id)
        self._stop.set()
        return []


async def test_ctrl_c_while_a_question_is_sent_does_not_mean_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with as_terminal(monkeypatch) as (master, _):
        listener = Listener(master)
        conversation = Conversation(cast("RoomAgent", listener), 20.0)
        os.write(master, b"One\n")
        async with asyncio.timeout(20):
            await conversation.run()
        assert listener.asked == ["One", "Two"]
        assert listener.stopped == [None]


@tool(needs_approval=True)
async def dig(context: ToolContext) -> str:
    """Dig."""
    context.progress(0.5, "half of it")
    await asyncio.Event().wait()
    return "dug"


async def test_waiting_is_shown_with_what_is_done_meanwhile(
    *,
    start_worker: StartWorker,
    command_line: Callable[[Worker], CommandLine],
    room_name: str,
    model: DemoModel,
) -> None:
    worker = await start_worker(tools=[dig])
    async with Terminal(command_line(worker), room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        await terminal.shows("> ")
        model.script(Reply(tool_calls=[tool_call("dig", "{}")]))
        terminal.type("Dig\n")
        await terminal.shows("waiting for the answer")
        await terminal.shows("dig {} wants to run: /approve 1")
        terminal.type("/approve\n")
        await terminal.shows("dig: half of it, 50%")
        terminal.process.send_signal(signal.SIGINT)
        await terminal.shows("finish_reason cancelled")
