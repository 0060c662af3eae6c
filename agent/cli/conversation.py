"""Conversation: a chat in a terminal, line by line."""

from __future__ import annotations

import asyncio
import itertools
import json
import shlex
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from agent.author_label import author_label, display_name, labelled
from agent.cli.approval_questions import ApprovalQuestions
from agent.cli.command import INTERRUPTED, CommandError, complain, printable, show
from agent.cli.completions import Completions
from agent.cli.markdown_stream import MarkdownStream
from agent.cli.progress_of_notices import progress_of
from agent.cli.shown_parts import line_of
from agent.cli.tool_questions import ToolQuestions
from agent.cli.typed_lines import TypedLines
from agent.client import AgentError, Answer, Delta, ReceivedFile, RoomAgent

Result = TypeVar("Result")

PROMPT: Final = "> "
SHOWN_OF_HISTORY: Final = 10
WAITING: Final = "waiting for the answer"

AT_ONCE: Final = frozenset({"/stop", "/approve", "/answer", "/decline", "/cancel"})
"""Commands that count while something is under way; other lines wait for its end."""

HELP: Final = """\
/who                    who is in the room
/call METHOD [JSON]     call a method of the agent's
/private TEXT           ask so that nobody else gets the question or the answer
/file PATH [TEXT]       send a file, with a question if there is one
/stop                   stop the answer, as Ctrl-C does
/retry                  ask the last question again
/edit TEXT              give the last question another text
/thread [room|private]  show a conversation, and go on in it
/approve [N] [no [REASON]]
                        let a tool run, or not; N where several ask
/answer [N]             answer a tool's question, a line for each field
/decline [N], /cancel [N]
                        say no to it, or neither yes nor no
/help, /quit
Tab completes commands, methods, names and paths."""


class Conversation:
    """Sends typed messages, and shows answers and notices. Ctrl-C stops an answer; without one, it
    ends."""

    def __init__(self, agent: RoomAgent, patience: float) -> None:
        self._agent = agent
        self._patience = patience
        self._console = Console()
        self._waiting: deque[str] = deque()
        self._last: str | None = None
        """Id of the last question."""
        self._is_private = False
        numbers = itertools.count(1)
        self._approvals = ApprovalQuestions(agent, self._tell, numbers)
        self._questions = ToolQuestions(self._tell, numbers)
        self._stopping: asyncio.Task[None] | None = None
        self._stream: MarkdownStream | None = None
        self._sending: Status | None = None
        self._calling: asyncio.Task[object] | None = None
        self._interrupted = asyncio.Event()
        agent.on_approval = self._approvals.ask
        agent.on_elicitation = self._questions.ask
        agent.on_notice = self._on_notice
        agent.on_file = self._on_file
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "who": self._who,
            "call": self._call,
            "private": lambda text: self._ask(text, private=True),
            "file": self._file,
            "stop": self._stop,
            "retry": self._retry,
            "edit": self._edit,
            "thread": self._thread,
            "approve": self._answer_approval,
            "answer": self._questions.answer,
            "decline": self._questions.decline,
            "cancel": self._questions.cancel,
            "help": self._help,
        }
        names = (*self._commands, "quit")
        questions = dict.fromkeys(("answer", "decline", "cancel"), self._questions)
        completions = Completions(agent, names, {"approve": self._approvals, **questions})
        self._typed = TypedLines(PROMPT, completions.of)
        self._lines = self._typed.lines

    async def run(self) -> None:
        """Returns at the end of the input, or with /quit; raises typer.Exit after Ctrl-C."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._on_interrupt)
        reading = asyncio.create_task(self._typed.read(), name="typed lines")
        try:
            while (line := await self._next()) is not None:
                if line.strip() in {"/quit", "/exit"}:
                    return
                await self._take(line.strip())
                if not self._agent.room.isconnected():
                    raise CommandError("the connection to the room is lost")
            await reading  # Raises the error that has ended the input.
            show("")
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _next(self) -> str | None:
        """The next line that is no field's value; None at the end."""
        if self._waiting:
            # It was typed before the values that may be asked for now.
            line = self._waiting.popleft()
            self._typed.show(line)
            return line
        line = await self._typed_line()
        while line is not None and self._is_value(line):
            line = await self._typed_line()
        return line

    async def _typed_line(self) -> str | None:
        if not self._lines.empty():
            line = self._lines.get_nowait()
            if line is not None:
                self._typed.show(line)
            return line
        self._typed.ask()
        typed = asyncio.create_task(self._lines.get(), name="a typed line")
        interrupted = asyncio.create_task(self._interrupted.wait(), name="an interruption")
        await asyncio.wait((typed, interrupted), return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()
        if not typed.done():
            typed.cancel()
            raise typer.Exit(INTERRUPTED)
        return typed.result()

    def _is_value(self, line: str) -> bool:
        """Takes a line for a field of a tool's question, unless it is a command."""
        name = line.strip()[1:].partition(" ")[0]
        is_command = line.strip().startswith("/") and name in {*self._commands, "quit", "exit"}
        return not is_command and self._questions.take(line)

    async def _take(self, line: str) -> None:
        if not line:
            return
        try:
            if not line.startswith("/"):
                await self._ask(line, private=self._is_private)
                return
            name, _, rest = line[1:].partition(" ")
            command = self._commands.get(name)
            if command is None:
                complain(f"There is no /{name}; /help shows what there is.")
            else:
                await command(rest.strip())
        except (AgentError, CommandError) as error:
            complain(str(error))

    async def _ask(self, text: str, *, private: bool = False, files: tuple[Path, ...] = ()) -> None:
        if not text:
            raise CommandError("there is nothing to say")
        asking = self._agent.ask(text, private=private, attachments=files, silence=self._patience)
        if files:
            answer = await self._while_sending(files[0].name, asking)
        else:
            # Before it is sent: a tool may ask something before the SDK reports that it was. Ctrl-C
            # then stops whatever the agent is doing for this person: the question has no id yet.
            former, self._last = self._last, None
            self._stream = stream = MarkdownStream(self._console)
            stream.wait(WAITING)
            try:
                answer = await asking
            except BaseException:
                stream.finish()
                self._stream = None
                self._last = former
                raise
        self._last = answer.question_id
        await self._while_typing(self._showing(answer))

    async def _while_typing(self, task: asyncio.Task[Result]) -> Result:
        """Waits for something while lines may come: those AT_ONCE, and values of fields, count at
        once, others later."""
        try:
            while not task.done():
                typed = asyncio.create_task(self._lines.get(), name="a typed line")
                await asyncio.wait((task, typed), return_when=asyncio.FIRST_COMPLETED)
                if not typed.done():
                    typed.cancel()
                    break
                line = typed.result()
                if line is None:
                    self._lines.put_nowait(None)
                    break
                if self._is_value(line):
                    continue
                if line.strip().partition(" ")[0] in AT_ONCE:
                    await self._take(line.strip())
                else:
                    self._waiting.append(line)
            return await task
        finally:
            task.cancel()

    def _showing(self, answer: Answer) -> asyncio.Task[None]:
        return asyncio.create_task(self._show(answer), name="show an answer")

    async def _show(self, answer: Answer) -> None:
        stream = self._stream = self._stream or MarkdownStream(self._console)
        stream.wait(WAITING)
        noted: set[str] = set()
        try:
            async for event in answer:
                if isinstance(event, Delta):
                    if event.restarts:
                        stream.finish()
                    stream.push(printable(event.text))
                    continue
                line = line_of(event.part)
                if line is not None and line not in noted:
                    noted.add(line)
                    stream.note(printable(line))
        finally:
            stream.finish()
            self._stream = None

    async def _answer_approval(self, typed: str) -> None:
        self._approvals.answer(typed)

    def _on_notice(self, notice: Mapping[str, Any]) -> None:
        if notice["event"] == "approval.ended":
            self._approvals.ended(notice)
            return
        if notice["event"] == "elicitation.ended":
            self._questions.ended(notice)
            return
        progress = progress_of(notice)
        if progress is None:
            return
        if notice["event"] == "file.progress" and self._sending is not None:
            self._sending.update(escape(printable(progress)))
        elif self._stream is not None and notice.get("inReplyTo") == self._last:
            self._stream.wait(printable(progress))

    def _on_file(self, file: ReceivedFile) -> None:
        self._tell(f"[saved] {file.path} ({file.size} bytes)")

    def _tell(self, line: str) -> None:
        """A line of the client's own, above what is being shown."""
        with self._typed.above():
            (self._stream or MarkdownStream(self._console)).note(line)

    async def _who(self, _: str) -> None:
        room = self._agent.room
        me = room.local_participant
        show(f"{author_label(me.identity, me.name)}: you")
        for each in room.remote_participants.values():
            is_agent = self._agent.participant is each
            role = display_name(each.attributes.get("role", ""))
            notes = [note for note in ("the agent" if is_agent else "", role) if note]
            label = author_label(each.identity, each.name)
            show(f"{label}{': ' if notes else ''}{', '.join(notes)}")

    async def _call(self, rest: str) -> None:
        method, _, payload = rest.partition(" ")
        if not method:
            raise CommandError(f"methods: {', '.join(self._agent.method_names)}")
        answer = await self._called(method, payload.strip())
        if isinstance(answer, str):
            show(answer)
        else:
            # Also what others in the room have written.
            self._console.print_json(printable(json.dumps(answer, ensure_ascii=False)))

    async def _called(self, method: str, payload: str) -> object:
        """The answer of a call; the tool may ask something, and Ctrl-C gives it up."""
        calling = self._agent.call(method, payload, self._patience)
        self._calling = asyncio.create_task(calling, name="a call")
        try:
            return await self._while_typing(self._calling)
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                raise
            raise CommandError("the call was given up") from None
        finally:
            self._calling = None

    async def _file(self, rest: str) -> None:
        try:
            path, *words = shlex.split(rest)
        except ValueError as error:
            raise CommandError(f"/file: {error}") from None
        try:
            file = await asyncio.to_thread(Path(path).expanduser)
        except RuntimeError as error:
            raise CommandError(f"{path}: {error}") from None
        if not await asyncio.to_thread(file.is_file):
            raise CommandError(f"{file}: no such file")
        if words:
            await self._ask(" ".join(words), private=self._is_private, files=(file,))
        else:
            sending = self._agent.send_file(file, private=self._is_private)
            await self._while_sending(file.name, sending)
            show(f"sent {file.name}")

    async def _while_sending(self, name: str, work: Coroutine[Any, Any, Result]) -> Result:
        self._sending = self._console.status(f"sending {escape(printable(name))}")
        try:
            with self._sending:
                return await work
        finally:
            self._sending = None

    async def _stop(self, _: str) -> None:
        await self._agent.stop(self._last)

    async def _retry(self, _: str) -> None:
        answer = await self._agent.regenerate(self._question(), silence=self._patience)
        await self._while_typing(self._showing(answer))

    async def _edit(self, text: str) -> None:
        if not text:
            raise CommandError("/edit TEXT: the new text of the last question")
        answer = await self._agent.edit(self._question(), text, silence=self._patience)
        await self._while_typing(self._showing(answer))

    def _question(self) -> str:
        if self._last is None:
            raise CommandError("nothing was asked yet")
        return self._last

    async def _thread(self, name: str) -> None:
        if name not in {"", "room", "private"}:
            raise CommandError("/thread room, or /thread private")
        if name:
            self._is_private = name == "private"
        me = self._agent.room.local_participant.identity
        thread = f"private:{me}" if self._is_private else "room"
        await self._agent.load_history(thread, limit=SHOWN_OF_HISTORY)
        shown = [each for each in self._agent.messages if each.thread == thread]
        for message in shown[-SHOWN_OF_HISTORY:]:
            name = display_name(message.sender_name) or author_label(message.sender_id)
            show(labelled("you" if message.sender_id == me else name, message.text))
        show(f"Your messages go {'to the agent alone' if self._is_private else 'to the room'}.")

    async def _help(self, _: str) -> None:
        show(HELP)

    def _on_interrupt(self) -> None:
        if self._calling is not None:
            self._calling.cancel()
            return
        if self._stream is None or self._stopping is not None:
            self._interrupted.set()
            return
        self._stopping = asyncio.create_task(self._stop_answer(), name="stop")

    async def _stop_answer(self) -> None:
        try:
            await self._agent.stop(self._last)
        except AgentError as error:
            complain(str(error))
        finally:
            self._stopping = None
