"""Hooks: functions of the app that the worker calls, each with a time bound and by its name."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agent.app.app_error import AppError

if TYPE_CHECKING:
    from agent.app.answer import Answer
    from agent.app.turn import Turn
    from toolkit.caller import Caller
    from toolkit.room import Room

logger = logging.getLogger(__name__)

Hook: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]

BeforeAnswer: TypeAlias = "Callable[[Turn], Awaitable[None]]"
AfterAnswer: TypeAlias = "Callable[[Turn, Answer], Awaitable[None]]"
OnText: TypeAlias = "Callable[[Turn, AsyncIterable[str]], AsyncIterator[str]]"
OnPerson: TypeAlias = "Callable[[Room, Caller], Awaitable[None]]"
OnMessage: TypeAlias = "Callable[[Room, Caller, str], Awaitable[None]]"
OnRoom: TypeAlias = "Callable[[Room], Awaitable[None]]"
OnWorker: TypeAlias = Callable[[], Awaitable[None]]

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds that one call of a hook may take."""


class HookError(Exception):
    """A hook raised, or took too long; the text names it. Its cause is in the log already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The hooks of an app; None: no such hook."""

    before_answer: BeforeAnswer | None = None
    after_answer: AfterAnswer | None = None
    on_text: OnText | None = None
    on_join: OnPerson | None = None
    on_leave: OnPerson | None = None
    on_message: OnMessage | None = None
    on_start: OnWorker | None = None
    on_stop: OnWorker | None = None
    on_room_start: OnRoom | None = None
    on_room_stop: OnRoom | None = None
    timeout: float = DEFAULT_TIMEOUT

    def __post_init__(self) -> None:
        for name, count in PARAMETERS.items():
            _check(name, getattr(self, name), count)
        if not self.timeout > 0:
            raise AppError(f"App: hook_timeout is {self.timeout}, expected more than 0")

    async def run(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - each hook's own
        """Calls a hook, and returns its result.

        Raises:
            HookError: it raised, or took too long. Why is logged here.
        """
        hook: Hook = getattr(self, name)
        deadline = asyncio.timeout(self.timeout)
        try:
            async with deadline:
                return await hook(*arguments)
        except Exception as error:
            # The boundary around the app's own code: rooms go on, whatever it raises.
            if deadline.expired():
                logger.error(
                    "hook %s (%s) took longer than %g s and was cancelled",
                    name,
                    title_of(hook),
                    self.timeout,
                )
            else:
                logger.exception("hook %s (%s) failed", name, title_of(hook))
            raise HookError(name) from error


PARAMETERS: Final = {
    "before_answer": 1,
    "after_answer": 2,
    "on_text": 2,
    "on_join": 2,
    "on_leave": 2,
    "on_message": 3,
    "on_start": 0,
    "on_stop": 0,
    "on_room_start": 1,
    "on_room_stop": 1,
}
"""The number of arguments of each hook."""


def title_of(function: object) -> str:
    """A function as a log line names it: its module and its name."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", type(function).__name__)
    return f"{module}.{name}" if module else name


def _check(name: str, hook: Hook | None, count: int) -> None:
    if hook is None:
        return
    is_wanted = inspect.isasyncgenfunction if name == "on_text" else inspect.iscoroutinefunction
    called = getattr(hook, "__call__", None)  # noqa: B004 - of an object that is called
    if not (is_wanted(hook) or is_wanted(called)):
        wanted = "an async generator function" if name == "on_text" else "an async function"
        raise AppError(f"App: {name} must be {wanted}, got {title_of(hook)}")
    try:
        inspect.signature(hook).bind(*range(count))
    except TypeError:
        raise AppError(
            f"App: {name} is called with {count} argument{'' if count == 1 else 's'}, which "
            f"{title_of(hook)} does not take"
        ) from None
