"""ToolContext: the context that a tool gets besides its arguments.

`Tools` and `ToolDescription` say what a tool may do with the other tools. They are protocols, so
that this module depends on neither `Tool` nor `Toolbox`, which implement them.
"""

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from toolkit.cache import Cache
from toolkit.call_slots import CallSlots
from toolkit.call_time import CallTime
from toolkit.caller import Caller
from toolkit.errors import Unavailable
from toolkit.file import SendFile
from toolkit.handoff import HandOff
from toolkit.parts import Part, Show, ShownPart
from toolkit.questions import Elicit, Elicitation, Elicited, Sample, Sampled, Sampling
from toolkit.room import Room
from toolkit.settings import ToolSettings
from toolkit.state import NO_STATE, State

if TYPE_CHECKING:
    import aiohttp

V = TypeVar("V")

MAX_PROGRESS_TEXT = 200
"""Characters of a progress report that are sent."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a call: a fraction from 0 to 1, or None, and a few words."""

    fraction: float | None
    text: str


Report = Callable[[Progress], None]
"""Reports progress to those who may see it. Never waits, never fails; may be called in any
thread."""


class ToolDescription(Protocol):
    """A tool as other tools see it; `toolkit.tool.Tool` implements it and documents its fields."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def needs_approval(self) -> bool: ...
    @property
    def confidential(self) -> bool: ...
    @property
    def rpc(self) -> bool: ...
    @property
    def allow(self) -> Callable[[Caller], bool] | None: ...
    @property
    def approvers(self) -> Callable[[Caller], bool] | None: ...

    def allows(self, caller: Caller | None) -> bool:
        """Whether this caller may call it."""
        ...

    def may_approve(self, caller: Caller | None) -> bool:
        """Whether a call by this caller needs nobody else's approval."""
        ...

    def json_schema(self) -> dict[str, object]:
        """JSON schema of the arguments."""
        ...


class Tools(Protocol):
    """The tools of a worker and their shared resources; `toolkit.toolbox.Toolbox` implements it."""

    def __iter__(self) -> Iterator[ToolDescription]: ...

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' wire names."""
        ...

    async def call(
        self, name: str, arguments: Mapping[str, object], caller: Caller | None = None
    ) -> str:
        """Calls a tool by its wire name; raises ToolError."""
        ...

    def cache(self, kind: type[V], *, ttl: float, size: int) -> Cache[V]:
        """The cache for values of this type; `ttl` in seconds, `size` in values."""
        ...

    def slots(self, name: str, limit: int) -> CallSlots:
        """The slots for concurrent calls of a tool."""
        ...


Begin = Callable[[], Awaitable[None]]
"""Notes that a call begins; raises ToolError if it began before."""

Approve = Callable[[ToolDescription, Mapping[str, object]], Awaitable[None]]
"""Asks for approval of a call with these arguments; raises ToolError if it is not given."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Passed to every parameter annotated `ToolContext`; it is not part of the tool's schema.

    Attributes:
        toolbox: the tools beside this one, and their caches.
        settings: the settings of the tools.
        http: one session for all tools of the toolbox; the toolbox closes it.
        caller: the participant who asked; None if there is no particular one.
        call_id: unique id of this call; empty if no notices are sent for it.
        idempotency_key: key of this call, for services that do nothing twice under one key. It is
            the same when another worker answers the message again after a crash and the model makes
            the same call. For a call by RPC it is `call_id`.
        begin: awaited before a function runs that must not run twice; None: nobody remembers.
        report: called with progress; None: nobody listens.
        approve: asks for the approval that a tool needs; None: there is nobody to ask.
        send_file: sends a file to the caller; None: not possible here. A returned `File` is sent
            automatically.
        on_confidential: called when only the caller may read the answer; None: nobody else could.
        room: the room of the call; None in a shell and in tests without one.
        thread: id of the conversation in which the model calls it: `room`, or `private:` and its
            owner's identity; empty if the model does not call it.
        segment_id: id of the answer in progress; empty if there is none.
        hand_off: hands the conversation over; None if the model does not call it. A returned
            `Handoff` is applied automatically.
        on_part: adds a part to the answer; None: the call belongs to no answer.
        state: the JSON document of the conversation that the call belongs to.
        on_background: lets the model continue, with a text; None: no model waits for the call.
        on_elicit: asks the caller a question; None: there is nobody to ask.
        on_sample: asks the model, if the caller agrees; None: not possible here.
        time: the time that the call may take, while it runs.
    """

    toolbox: Tools
    settings: ToolSettings
    http: "aiohttp.ClientSession"
    caller: Caller | None = None
    call_id: str = ""
    report: Report | None = None
    approve: Approve | None = None
    send_file: SendFile | None = None
    on_confidential: Callable[[], None] | None = None
    room: Room | None = None
    thread: str = ""
    segment_id: str = ""
    hand_off: HandOff | None = None
    on_part: Show | None = None
    state: State = NO_STATE
    idempotency_key: str = ""
    begin: Begin | None = None
    on_background: Callable[[str], None] | None = None
    on_elicit: Elicit | None = None
    on_sample: Sample | None = None
    time: CallTime | None = None

    def show(self, part: Part) -> str:
        """Shows a part in the answer that the call belongs to, beside its text.

        Never waits; may be called in any thread. A part with the id of an earlier one replaces it.
        A call that belongs to no answer, as one by RPC, shows nothing; so does a part past the
        answer's limits, which the worker's log names.

        Returns:
            The part's id.

        Raises:
            TypeError: it is no part, or its value has no JSON form.
            ValueError: its schema is no JSON schema of an object.
        """
        shown = ShownPart.of(part)
        if self.on_part is not None:
            self.on_part(shown)
        return shown.id

    def with_approval(self, approve: Approve) -> "ToolContext":
        """A copy with somebody to ask: for tests of tools that need approval."""
        return replace(self, approve=approve)

    def with_files(self, send_file: SendFile) -> "ToolContext":
        """A copy with a receiver of files: for tests of tools that make files."""
        return replace(self, send_file=send_file)

    def with_answers(self, on_elicit: Elicit) -> "ToolContext":
        """A copy with somebody who answers questions: for tests of tools that ask questions."""
        return replace(self, on_elicit=on_elicit)

    async def elicit(
        self, message: str, schema: Mapping[str, object] | None = None, *, url: str = ""
    ) -> Elicited:
        """Asks the caller a question, and waits for the answer; the tool's time stands still.

        Meanwhile the call does not count for the tool's `max_calls`; it waits for its turn again
        before it goes on, for the tool's timeout at most.

        Their app shows a form by `schema`, a JSON schema of an object, or offers to open the page
        at `url`. Without either it is a question for yes or no. An answer that does not fit the
        schema is ignored.

        Raises:
            Unavailable: they cannot be asked; the message says why.
            InvalidArguments: the schema or the URL cannot be used.
            TooLarge: the question is too long to be shown.
            RateLimited: too many questions wait, or the call has asked too many, or its turn has
                not come again.
        """
        if self.on_elicit is None:
            raise Unavailable("There is nobody here who could be asked")
        async with self._paused():
            return await self.on_elicit(Elicitation(message, schema, url))

    async def sample(self, sampling: Sampling) -> Sampled:
        """Asks the model something outside of the conversation, if the caller agrees; the tool's
        time stands still, and its turn is others', as with `elicit`.

        Raises:
            NotAllowed: they do not agree.
            Unavailable: the model fails.
            TooLarge: it is too long to be shown to the caller.
            RateLimited: too many questions wait, or the tokens of today are used up, or the call's
                turn has not come again.
        """
        if self.on_sample is None:
            raise Unavailable("There is no model here that could be asked")
        async with self._paused():
            return await self.on_sample(sampling)

    def _paused(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self.time is None else self.time.paused()

    def keep_confidential(self) -> None:
        """Keeps the answer to this call from everybody but its caller, as
        `@tool(confidential=True)` does for all calls.

        It only affects answers to RPC callers: the results of a model's calls are part of its
        conversation. May be called in any thread.
        """
        if self.on_confidential is not None:
            self.on_confidential()

    def background(self, text: str = "") -> None:
        """Lets the model answer at once, while this call goes on.

        The model learns that the call has started. When the call returns, or fails, the model
        reports the result in an unasked answer; parts are shown with that, and files go to the
        caller. The call may take as long as the tool's `timeout`, and ends when the agent leaves.

        Cheap, never waits and never fails. Thread-safe. It does nothing for a call by RPC, whose
        caller waits for the result, nor if too many calls of the room run in the background
        already.

        Args:
            text: a few words for the model, such as how long it takes; at most 200 characters.
        """
        if self.on_background is not None:
            self.on_background(text[:MAX_PROGRESS_TEXT])

    def progress(self, fraction: float | None = None, text: str = "") -> None:
        """Reports the progress of the call to the caller.

        Cheap, never waits and never fails. Thread-safe. It may be called as often as you like: of
        frequent reports only the latest is sent.

        Args:
            fraction: the share that is done, from 0 to 1; None: unknown.
            text: a few words; at most 200 characters are sent.
        """
        if self.report is None:
            return
        if fraction is not None:
            fraction = None if math.isnan(fraction) else min(max(float(fraction), 0.0), 1.0)
        self.report(Progress(fraction, text[:MAX_PROGRESS_TEXT]))
