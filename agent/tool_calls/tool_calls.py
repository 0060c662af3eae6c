"""ToolCalls: the tool calls of one room, from its RPC callers and from the model."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Final, Protocol

from agent.history.errors import HistoryError
from agent.history.made_calls import KeptCall, MadeCalls
from agent.limits.room_limits import RoomLimits
from agent.parts.answer_parts import AnswerParts
from agent.parts.call_part import CallPart
from agent.state.room_states import RoomStates
from agent.telemetry import log_fields, spans
from agent.telemetry.metrics import TOOL_SECONDS
from agent.tool_calls.approvals import Approvals, Asker, RpcAsker
from agent.tool_calls.background_calls import BackgroundCall, BackgroundCalls
from agent.tool_calls.call_notices import CallNotices
from agent.tool_calls.call_origin import CallOrigin
from agent.tool_calls.call_questions import AskModel, CallQuestions
from agent.tool_calls.callers import Callers
from agent.tool_calls.lasting_calls import MAX_ATTEMPTS
from agent.tool_calls.noted_call import NotedCall
from agent.tool_calls.rpc_answer import RpcAnswer
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal
from toolkit.caller import Caller
from toolkit.context import ToolContext
from toolkit.errors import Conflict, NotAllowed, RateLimited, ToolError, Unavailable
from toolkit.file import File
from toolkit.parts import ShownPart
from toolkit.room import Room
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox

CLIENT_METHOD: Final = "client method"
"""The label under which metrics count all tools that clients offer."""

_BEGUN: Final = (
    "This call was begun before, for the same message, and may have taken effect. It is not made "
    "again. Its outcome is unknown: say so, or find out"
)


class OnCalled(Protocol):
    """Called with each call that has ended."""

    def __call__(
        self, name: str, caller: str, code: str, seconds: float, /, *, by_model: bool
    ) -> None: ...


class FileSender(Protocol):
    """Sends the files that tools make; its methods raise ToolError."""

    async def to_caller(self, identity: str, file: File) -> dict[str, object]: ...

    async def in_answer(self, turn: CallOrigin, file: File) -> dict[str, object]: ...


class ToolCalls:
    """Calls tools with the services of a call in a room: its caller, its notices, its approval, and
    where files go."""

    def __init__(  # noqa: PLR0913 - what calls need
        self,
        toolbox: Toolbox,
        *,
        notices: Notices,
        callers: Callers,
        approvals: Approvals,
        files: FileSender,
        states: RoomStates,
        limits: RoomLimits,
        on_called: OnCalled,
        made: MadeCalls,
        ask_model: AskModel,
    ) -> None:
        self.room: Room | None = None
        """The room as tools see it."""
        self.conversation = ""
        """Its name in the history."""
        self._toolbox = toolbox
        self._notices = notices
        self._callers = callers
        self._approvals = approvals
        self._files = files
        self._states = states
        self._limits = limits
        self._on_called = on_called
        self._made = made
        self._ask_model = ask_model

    async def by_rpc(
        self, tool: Tool, arguments: Mapping[str, object], identity: str, *, in_room: bool
    ) -> RpcAnswer:
        """Calls a tool for its RPC caller. Raises ToolError.

        The call is their consent. They alone get notices of its progress, if it reports any.

        Args:
            in_room: the caller can be sent files; the server's API cannot.
        """
        caller = await self._callers.find(identity)
        notices = CallNotices(self._notices, tool.name, to=identity)
        send_file = partial(self._files.to_caller, identity) if in_room else None
        confidential = Event()
        asker = RpcAsker(caller, private=tool.confidential)
        questions = self._questions(tool, asker, notices.call_id)
        context = replace(
            self._toolbox.context(caller),
            approve=partial(_consented, caller),
            send_file=send_file,
            on_confidential=confidential.set,
            state=self._states.of(None),
            room=self.room,
            on_elicit=questions.elicit if in_room else None,
            on_sample=questions.sample if in_room else None,
        )
        text = await self._call(tool, arguments, context, notices)
        return RpcAnswer(text, tool.confidential or confidential.is_set())

    async def by_model(self, call: BackgroundCall, idempotency_key: str) -> str:
        """Calls a tool of the model for the participant whom it answers. Raises ToolError.

        The room gets notices, or in a private conversation its owner. If approval is needed, that
        participant or the tool's approvers are asked.
        """
        tool, arguments, turn = call.tool, call.arguments, call.origin
        try:
            self._limits.take_tool_call(turn.caller.identity)
        except Refusal as refusal:
            message = refusal.sentence.removesuffix(".")
            raise RateLimited(message, retry_after=refusal.retry_after) from None
        notices = CallNotices(
            self._notices,
            tool.name,
            to=turn.caller.identity if turn.private else None,
            answers=turn,
        )
        call.call_id = notices.call_id
        notices.begin()
        parts = turn.parts()
        part = CallPart(parts, notices.call_id, tool.name, tool.show, arguments)
        part.running()
        call.on_detached = part.leave

        def show(shown: ShownPart) -> None:
            (call if call.is_detached else parts).show(shown)

        async def send_file(file: File) -> dict[str, object]:
            if call.is_detached:
                return await self._files.to_caller(turn.caller.identity, file)
            return await self._files.in_answer(turn, file)

        async def approve(asked: Tool, given: Mapping[str, object]) -> None:
            if asked.retry == "never":
                await self._check_not_begun(idempotency_key)
            part.waiting()
            await self._approvals.ask(turn, notices.call_id, asked, given)
            part.running()

        questions = self._questions(tool, turn, notices.call_id)
        context = replace(
            self._toolbox.context(turn.caller),
            approve=approve,
            send_file=send_file,
            on_part=show,
            on_background=call.detach,
            state=self._states.of(turn.caller.identity if turn.private else None),
            room=self.room,
            thread=turn.thread,
            segment_id=turn.segment_id,
            hand_off=turn.hand_off,
            idempotency_key=idempotency_key,
            begin=partial(self._begin, idempotency_key),
            on_elicit=questions.elicit,
            on_sample=questions.sample,
        )
        return await self._call(tool, arguments, context, notices, part)

    def make_again(
        self, background: BackgroundCalls, tool: Tool, kept: KeptCall, caller: Caller
    ) -> None:
        """Makes a call again that a former worker had in the background, for the same participant,
        with the rights that they have now."""
        origin = CallOrigin(
            caller,
            kept.message_id,
            position=None,
            private=kept.thread.owner is not None,
            attach=lambda _: None,
            parts=_no_answer,
        )
        call = BackgroundCall(background, tool, json.loads(kept.arguments), origin)
        call.key, call.call_id = kept.key, kept.call_id
        call.attempt, call.begun_at = kept.attempt + 1, kept.begun_at
        background.take_up(
            call, asyncio.create_task(self._again(call), name=f"tool {tool.name}, again")
        )

    async def _again(self, call: BackgroundCall) -> str:
        tool, turn = call.tool, call.origin
        if call.attempt > MAX_ATTEMPTS:
            raise Unavailable("It was interrupted too often and will not be repeated")
        identity = turn.caller.identity
        to = identity if turn.private else None
        notices = CallNotices(self._notices, tool.name, to=to, answers=turn, call_id=call.call_id)
        notices.begin()
        questions = self._questions(tool, turn, notices.call_id)
        context = replace(
            self._toolbox.context(turn.caller),
            send_file=partial(self._files.to_caller, identity),
            on_part=call.show,
            state=self._states.of(to),
            room=self.room,
            thread=turn.thread,
            idempotency_key=call.key,
            on_elicit=questions.elicit,
            on_sample=questions.sample,
        )
        return await self._call(tool, call.arguments, context, notices)

    def _questions(self, tool: Tool, asker: Asker, call_id: str) -> CallQuestions:
        return CallQuestions(self._approvals, self._ask_model, tool, asker, call_id)

    async def _begin(self, key: str) -> None:
        """Notes that a call begins that must not be made twice. Raises ToolError if it was."""
        try:
            is_new = await self._made.begin(key)
        except HistoryError as error:
            raise Unavailable("The call cannot be recorded, so it is not made") from error
        if not is_new:
            raise Conflict(_BEGUN)

    async def _check_not_begun(self, key: str) -> None:
        """Raises ToolError where `_begin` would, before anybody is asked to approve."""
        try:
            was_begun = await self._made.was_begun(key)
        except HistoryError as error:
            raise Unavailable("Whether the call was made is unknown") from error
        if was_begun:
            raise Conflict(_BEGUN)

    def note(self, name: str, arguments: Mapping[str, object], turn: CallOrigin) -> NotedCall:
        """Reports a call of the model that its agent makes itself."""
        caller = turn.caller.identity
        to = caller if turn.private else None
        notices = CallNotices(self._notices, name, to=to, answers=turn)
        part = CallPart(turn.parts(), notices.call_id, name, "name", arguments)

        def ended(code: str, seconds: float) -> None:
            self._on_called(name, caller, code, seconds, by_model=True)

        return NotedCall(name, notices, part, ended)

    async def _call(
        self,
        tool: Tool,
        arguments: Mapping[str, object],
        context: ToolContext,
        notices: CallNotices,
        part: CallPart | None = None,
    ) -> str:
        context = replace(
            context,
            call_id=notices.call_id,
            idempotency_key=context.idempotency_key or notices.call_id,
            report=notices.report,
        )
        began, code = time.monotonic(), "ok"
        with (
            log_fields.bound(call_id=notices.call_id, tool=tool.name),
            spans.span(
                f"execute_tool {tool.name}",
                gen_ai__operation__name="execute_tool",
                gen_ai__tool__name=tool.name,
                gen_ai__tool__call__id=notices.call_id,
            ) as span,
        ):
            try:
                answer = await tool.call(arguments, context)
            except ToolError as error:
                code = str(error.code)
                span.fail(code)
                notices.finish("error", error)
                if part is not None:
                    part.failed(error)
                raise
            except asyncio.CancelledError:
                code = "cancelled"
                notices.finish("cancelled")
                if part is not None:
                    part.failed()
                raise
            finally:
                caller = "" if context.caller is None else context.caller.identity
                self._count(tool, caller, notices, code, time.monotonic() - began)
        notices.finish("ok")
        if part is not None:
            part.done(answer)
        return answer

    def _count(
        self, tool: Tool, caller: str, notices: CallNotices, code: str, seconds: float
    ) -> None:
        by = "model" if notices.is_of_model else "rpc"
        # Clients choose the names of their own methods.
        known = tool.name in self._toolbox.names
        if known or by == "model":
            TOOL_SECONDS.observe(seconds, tool.name if known else CLIENT_METHOD, by, code)
            self._on_called(tool.name, caller, code, seconds, by_model=notices.is_of_model)


def _no_answer() -> AnswerParts:
    raise RuntimeError("the answer that the call was begun in has ended")


async def _consented(caller: Caller, tool: Tool, _: Mapping[str, object]) -> None:
    """Participants who call a tool themselves have agreed to it, if they may."""
    if tool.four_eyes:
        raise NotAllowed(f"The caller of {tool.name} may not approve the same call")
    if not tool.may_approve(caller):
        raise NotAllowed(f"Only those who may approve {tool.name} may call it")
