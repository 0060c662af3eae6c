"""BackgroundCalls: the model's calls in one room that go on after its answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from typing import Annotated, Final, Protocol

from pydantic import Field

from agent.history.made_calls import KeptCall
from agent.history.message import ThreadKey
from agent.tool_calls.call_origin import CallOrigin
from agent.tool_calls.lasting_calls import LastingCalls
from toolkit.caller import Caller
from toolkit.errors import Conflict, NotAllowed, NotFound, ToolError
from toolkit.parts import ShownPart
from toolkit.tool import CONFIRM_DUPLICATE, Tool, tool

logger = logging.getLogger(__name__)

MAX_CALLS: Final = 8
"""Calls that go on in the background of one room. Beyond that, the model waits for a call as
usual."""

MAX_PARTS: Final = 32
"""Parts that one call shows with its result."""

REPLACED_WITHIN: Final = 5.0
"""Seconds that a call may take to end after it was cancelled for another one."""

_STARTED: Final = (
    "The call has started, and goes on in the background as {call_id}{text}. Its result comes "
    "later by itself. Say that it is under way; do not make anything up about its result."
)
_DUPLICATE: Final = "{tool} is running already: {calls}."
_REJECTED: Final = " It is not called again; wait for its result."
_CONFIRM: Final = (
    " Call it again with {argument} true if the user explicitly wants it to run a second time."
)
_ENDED: Final = "The call {call_id} of {tool}, which was begun earlier, has {outcome}:"
_TELL: Final = (
    "The call {call_id} of {tool} has just ended. Tell its outcome, without repeating what you "
    "have said already."
)


class Report(Protocol):
    """Makes the model report the result of a call. Raises ToolError.

    Args:
        told: the text before the result, which the model reads now and later.
        result: shortened if the conversation has no room for it.
        instruction: text that it only reads now.
        segment_id: of the answer that tells it; None: any.
    """

    def __call__(
        self,
        origin: CallOrigin,
        told: str,
        result: str,
        instruction: str,
        parts: Collection[ShownPart],
        segment_id: str | None,
        /,
    ) -> None: ...


class BackgroundCall:
    """A call of the model's, which may go on in the background.

    Attributes:
        arguments: without the confirmation that it is meant as a second one.
        is_confirmed: it came with the confirmation.
        key: its idempotency key.
        call_id: as notices have it.
        attempt: how often it was made before, by workers that have ended since.
        begun_at: ms since 1970.
        started: the text for the model, once the call goes on in the background.
        shown: the parts that it shows after that.
        on_detached: called then, with the text for the model.
    """

    def __init__(
        self,
        calls: BackgroundCalls,
        tool: Tool,
        arguments: Mapping[str, object],
        origin: CallOrigin,
    ) -> None:
        self.tool = tool
        self.origin = origin
        self.arguments = arguments
        self.is_confirmed = False
        if tool.on_duplicate == "confirm":
            self.arguments = own = dict(arguments)
            self.is_confirmed = own.pop(CONFIRM_DUPLICATE, False) is True
        self.key = ""
        self.call_id = ""
        self.attempt = 0
        self.begun_at = int(time.time() * 1000)
        self.task: asyncio.Task[str] | None = None
        self.shown: list[ShownPart] = []
        self.on_detached: Callable[[str], None] = lambda _: None
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self.started: asyncio.Future[str] = self._loop.create_future()

    @property
    def is_detached(self) -> bool:
        """Whether it goes on in the background."""
        return self.started.done()

    @property
    def duplicate_key(self) -> tuple[str, str, str]:
        """Calls with the same key are duplicates of each other, by the tool's setting."""
        counted = self.tool.duplicate_scope == "name_and_args"
        arguments = json.dumps(self.arguments, sort_keys=True, default=str) if counted else ""
        return self.origin.thread, self.tool.name, arguments

    def is_cancellable_by(self, caller: Caller) -> bool:
        """Whether somebody may cancel it, as far as that depends on who they are."""
        return self.origin.caller.identity == caller.identity or self.tool.allows(caller)

    def detach(self, text: str) -> None:
        """Lets the model go on without the result, unless too many calls do. Thread-safe."""
        try:
            is_on_loop = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_on_loop = False
        if is_on_loop:
            self._detach(text)
        else:
            self._loop.call_soon_threadsafe(self._detach, text)

    def show(self, part: ShownPart) -> None:
        """Keeps a part until the result is reported. Thread-safe."""
        if len(self.shown) < MAX_PARTS:
            self.shown.append(part)

    def _detach(self, text: str) -> None:
        if self.is_detached or not self._calls.admit(self):
            return
        told = _STARTED.format(call_id=self.call_id, text=f" ({text})" if text else "")
        self.started.set_result(told)
        if self.tool.survives:
            self._calls.keep(self)
        self.on_detached(told)


class BackgroundCalls:
    """Knows the calls of one room that run in the background, and those that may not run twice.

    Attributes:
        lasting: of these, those that the next worker makes again.
        report: set once the room is complete.
    """

    def __init__(self, lasting: LastingCalls) -> None:
        self.lasting = lasting
        self.report: Report | None = None
        self._running: set[BackgroundCall] = set()
        self._reserved = 0
        self._freed = asyncio.Event()
        self._is_closed = False

    def admit(self, call: BackgroundCall) -> bool:
        """Whether another call may go on in the background; takes its place."""
        if self._is_closed:
            # Its answer ends with the stay, and the call with the answer.
            return False
        if self._is_full():
            logger.warning(
                "%d calls run in the background of the room; the model waits for %s",
                MAX_CALLS,
                call.tool.name,
            )
            return False
        self._running.add(call)
        return True

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Waits until one more call may go on in the background, and keeps its place for it."""
        while self._is_full():
            self._freed.clear()
            await self._freed.wait()
        self._reserved += 1
        try:
            yield
        finally:
            self._reserved -= 1
            self._freed.set()

    def _is_full(self) -> bool:
        return self._reserved + sum(each.is_detached for each in self._running) >= MAX_CALLS

    async def guard(self, call: BackgroundCall) -> str | None:
        """The text for the model in place of a call that would be a duplicate; None: it may run.

        Raises:
            Conflict: it would replace a call that cannot be cancelled.
            NotAllowed: it would replace one that its caller may not cancel.
        """
        mode = call.tool.on_duplicate
        if mode == "replace":
            await self._replace(call)
        same = self._duplicates(call)
        ids = ", ".join(each.call_id for each in same)
        if same and mode == "reject":
            return _DUPLICATE.format(tool=call.tool.name, calls=ids) + _REJECTED
        if same and mode == "confirm" and not call.is_confirmed:
            hint = _CONFIRM.format(argument=CONFIRM_DUPLICATE)
            return _DUPLICATE.format(tool=call.tool.name, calls=ids) + hint
        self._running.add(call)
        return None

    def take_up(self, call: BackgroundCall, task: asyncio.Task[str]) -> None:
        """Follows a call that a former worker had in the background, and that is made again; an
        agent that leaves meanwhile leaves it to the next one."""
        if self._is_closed:
            task.cancel()
            return
        self._running.add(call)
        call.task = task
        call.started.set_result("")
        self.follow(call)

    def keep(self, call: BackgroundCall) -> None:
        """Stores a call, so that the next worker repeats it unless its result was reported."""
        caller = call.origin.caller
        self.lasting.keep(
            KeptCall(
                key=call.key,
                thread=ThreadKey(
                    self.lasting.conversation, caller.identity if call.origin.private else None
                ),
                identity=caller.identity,
                name=caller.name,
                message_id=call.origin.message_id,
                tool=call.tool.name,
                arguments=json.dumps(call.arguments),
                call_id=call.call_id,
                attempt=call.attempt,
                begun_at=call.begun_at,
                held_in=self.lasting.sid,
            )
        )

    def follow(self, call: BackgroundCall) -> None:
        """Reports the result of a detached call once it has ended."""
        assert call.task is not None  # noqa: S101 - it runs
        call.task.add_done_callback(lambda task: self._ended(call, task))

    def forget(self, call: BackgroundCall) -> None:
        """Handles the end of a call, or its cancellation."""
        self._running.discard(call)
        self._freed.set()

    def ended_at_once(self, call: BackgroundCall) -> None:
        """A call has ended before the model went on: it reads the result, or the failure."""
        self.forget(call)
        if call.is_detached and call.tool.survives:
            self.lasting.drop(call.key)

    def tools(self, origin: CallOrigin) -> list[Tool]:
        """The model's tools to list and cancel running calls, while there are calls that the
        participant may cancel."""

        def cancellable() -> list[BackgroundCall]:
            return [
                each
                for each in self._running
                if each.origin.thread == origin.thread
                and each.is_detached
                and each.tool.cancellable
                and each.is_cancellable_by(origin.caller)
            ]

        return _task_tools(cancellable) if cancellable() else []

    async def aclose(self, *, is_over: bool) -> None:
        """Cancels the running calls without a report, and starts no further ones.

        Args:
            is_over: no other agent follows that would repeat them.
        """
        self._is_closed = True
        self.report = None
        await _cancel(self._running)
        await self.lasting.aclose(is_over=is_over)

    def _duplicates(self, call: BackgroundCall) -> list[BackgroundCall]:
        return [each for each in self._running if each.duplicate_key == call.duplicate_key]

    async def _replace(self, call: BackgroundCall) -> None:
        """Cancels the duplicates of a call, also those that begin while it waits for their end.

        Each of them has REPLACED_WITHIN to end.
        """
        cancelled: set[BackgroundCall] = set()
        while same := set(self._duplicates(call)) - cancelled:
            if not call.tool.cancellable:
                raise Conflict(f"{call.tool.name} is running already, and cannot be cancelled")
            if not all(each.is_cancellable_by(call.origin.caller) for each in same):
                raise NotAllowed(f"This caller may not cancel the {call.tool.name} that is running")
            cancelled |= same
            await _cancel(same)

    def _ended(self, call: BackgroundCall, task: asyncio.Task[str]) -> None:
        self.forget(call)
        if task.cancelled():
            if call.tool.survives and not self._is_closed:
                self.lasting.drop(call.key)
            return
        error = task.exception()
        if error is not None and not isinstance(error, ToolError):
            logger.error("call in the background failed unexpectedly", exc_info=error)
        result = task.result() if error is None else str(error)
        if self.report is None:
            return
        told = _ENDED.format(
            call_id=call.call_id,
            tool=call.tool.name,
            outcome="ended with this result" if error is None else "failed",
        )
        instruction = _TELL.format(call_id=call.call_id, tool=call.tool.name)
        segment_id = self.lasting.telling(call.key, call.attempt) if call.tool.survives else None
        try:
            self.report(call.origin, told, result, instruction, call.shown, segment_id)
        except ToolError as refused:
            logger.warning("result of %s not announced: %s", call.tool.name, refused)
            if segment_id is not None:
                self.lasting.told(segment_id)


def _task_tools(cancellable: Callable[[], list[BackgroundCall]]) -> list[Tool]:
    @tool(rpc=False)
    async def get_running_tasks() -> list[dict[str, object]]:
        """Get the list of running tool calls that are cancellable."""
        return [
            {"callId": each.call_id, "tool": each.tool.name, "arguments": dict(each.arguments)}
            for each in cancellable()
        ]

    @tool(rpc=False)
    async def cancel_task(
        call_id: Annotated[str, Field(description="id of a running call")],
    ) -> str:
        """Cancel a running tool call. Only do this when the user explicitly requests it."""
        call = next((each for each in cancellable() if each.call_id == call_id), None)
        if call is None:
            raise NotFound(f"No call {call_id} is running that could be cancelled")
        await _cancel([call])
        return f"The call {call_id} of {call.tool.name} is cancelled"

    return [get_running_tasks, cancel_task]


async def _cancel(calls: Collection[BackgroundCall]) -> None:
    tasks = [each.task for each in calls if each.task is not None]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=REPLACED_WITHIN)
