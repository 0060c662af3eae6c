"""AgentMaker: makes a livekit Agent of an app for each conversation."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from agent.app.app_error import AppError
from agent.app.realtime_models import check_fit

if TYPE_CHECKING:
    from livekit.agents import Agent, AgentSession

    from toolkit.room import Room

    Made: TypeAlias = Agent | tuple[AgentSession[Any], Agent]
    MakeAgent: TypeAlias = Callable[..., Made | Awaitable[Made]]
    """An Agent subclass, or a function that returns an Agent, or an AgentSession with its first
    Agent. One with a parameter gets the Room."""


class AgentMaker:
    """Calls the app's class or function for an agent.

    Raises:
        AppError: it cannot be called without an argument, nor with the room alone.
    """

    def __init__(self, name: str, make: MakeAgent, *, of_persona: bool = False) -> None:
        """`of_persona`: what it makes answers for a Persona, as that is in the room."""
        self.of_persona = of_persona
        self._name = name
        self._make = make
        self._takes_room = _takes_room(name, make)
        self._made = weakref.WeakSet[object]()

    def makes(self, kind: type) -> bool:
        """Whether it is this very class of agents."""
        return self._make is kind

    async def make(self, room: Room) -> tuple[AgentSession[Any] | None, Agent]:
        """A new agent without a session, and its session if the app made one.

        Raises:
            AppError: the app's function returned something else, or what it has returned before,
                with what was said to it in another conversation, or a realtime model that rooms
                cannot answer with.
        """
        # An app that gives one has imported it.
        from livekit.agents import Agent, AgentSession  # noqa: PLC0415 - see above

        made = self._make(room) if self._takes_room else self._make()
        if inspect.isawaitable(made):
            made = await made
        if isinstance(made, Agent):
            self._take("Agent", made)
            self._check_models(cast("object", made.llm))
            return None, made
        if isinstance(made, tuple) and len(made) == 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            session, agent = made
            if isinstance(session, AgentSession) and isinstance(agent, Agent):  # pyright: ignore[reportUnnecessaryIsInstance]
                self._take("AgentSession", session)
                self._take("Agent", agent)
                self._check_models(cast("object", agent.llm), cast("object", session.llm))
                return session, agent
        raise AppError(
            f"App: the function of the agent {self._name} returned a {type(made).__name__}, "
            "expected an Agent, or an AgentSession and an Agent"
        )

    def _check_models(self, *models: object) -> None:
        from livekit.agents.llm import RealtimeModel  # noqa: PLC0415 - as above

        for model in models:
            if isinstance(model, RealtimeModel):
                check_fit(self._name, model)

    def _take(self, kind: str, made: object) -> None:
        if made in self._made:
            raise AppError(
                f"App: the function of the agent {self._name} returned the same {kind} twice"
            )
        self._made.add(made)


def _takes_room(name: str, make: object) -> bool:
    wrong = f"App: the agent {name} cannot be made"
    if not callable(make):
        kind = type(make).__name__
        raise AppError(
            f"App: the agent {name} is a {kind}, expected a Persona, an Agent class, or a function "
            "that makes an Agent: a session of its own needs an agent of its own"
        )
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError) as error:
        raise AppError(f"{wrong}: {error}") from error
    needed = [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
    ]
    if not needed:
        return False
    if (
        len(needed) == 1
        and needed[0].name == "room"
        and needed[0].kind is not inspect.Parameter.KEYWORD_ONLY
    ):
        return True
    names = ", ".join(each.name for each in needed)
    what = "its class" if isinstance(make, type) else "its function"
    raise AppError(
        f"{wrong}: {what} needs {names}, expected no parameter, or `room` alone; give a function "
        "that makes it"
    )
