"""say, ask, handoff, setInstructions and endSession: RPC methods for backends."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from pydantic import Field

from agent.contract.answers import AgentNamed, Nothing, Said
from agent.history.message import MAX_ID_LENGTH
from agent.rpc.arguments import BackendToken
from agent.rpc.backend import Backend
from toolkit.context import ToolContext
from toolkit.errors import InvalidArguments
from toolkit.room import Room
from toolkit.tool import Tool, tool

REMEMBERED: Final = 256
"""Idempotency keys that are remembered for one room."""

MAX_INSTRUCTIONS: Final = 65_536

SetInstructions = Callable[[str | None, str | None], str]
"""Sets the instructions (None: its own again) of an agent by its name (None: the one that answers
in the room); returns its name. Raises ToolError."""

To = Annotated[
    str | None,
    Field(
        description="identity of the participant to whom it is said; null: everybody",
        min_length=1,
        max_length=MAX_ID_LENGTH,
    ),
]
Private = Annotated[
    bool | None, Field(description="only they get it; the default where `to` is given")
]
IdempotencyKey = Annotated[
    str | None,
    Field(
        description="a call with the key of an earlier one says nothing again",
        min_length=1,
        max_length=MAX_ID_LENGTH,
    ),
]
AgentName = Annotated[
    str, Field(description="name of an agent of the app", min_length=1, max_length=64)
]


def backend_methods(
    room: Room,
    backend: Backend,
    set_instructions: SetInstructions,
    end: Callable[[], Awaitable[None]],
) -> tuple[Tool, ...]:
    """The methods for one room.

    Args:
        end: makes the agent leave after it has answered the waiting questions; returns once that is
            stored.
    """
    said: OrderedDict[str, str] = OrderedDict()

    def once(key: str | None, speak: Callable[[], str]) -> Said:
        """livekit-server repeats slow calls by itself."""
        if key is None:
            return {"segmentId": speak()}
        if key not in said:
            said[key] = speak()
            if len(said) > REMEMBERED:
                said.popitem(last=False)
        return {"segmentId": said[key]}

    @tool
    async def say(
        context: ToolContext,
        text: Annotated[str, Field(description="what the agent says")],
        to: To = None,
        private: Private = None,
        idempotency_key: IdempotencyKey = None,
        token: BackendToken = None,
    ) -> Said:
        """Make the agent say this text unasked. For backends."""
        backend.check(context.caller, token)
        return once(idempotency_key, lambda: room.say(text, to=to, private=private))

    @tool
    async def ask(
        context: ToolContext,
        instruction: Annotated[str, Field(description="for the model; no participant reads it")],
        to: To = None,
        private: Private = None,
        idempotency_key: IdempotencyKey = None,
        token: BackendToken = None,
    ) -> Said:
        """Make the model say something unasked, by an instruction. For backends."""
        backend.check(context.caller, token)
        return once(idempotency_key, lambda: room.ask(instruction, to=to, private=private))

    @tool
    async def handoff(
        context: ToolContext,
        agent: AgentName,
        message: Annotated[
            str, Field(description="one sentence for that agent", max_length=4_000)
        ] = "",
        to: To = None,
        token: BackendToken = None,
    ) -> AgentNamed:
        """Hand the room's conversation, or that of one participant, to another agent of the app.
        For backends."""
        backend.check(context.caller, token)
        room.hand_off(agent, message, to=to)
        return {"agent": agent}

    @tool(name="setInstructions")
    async def change_instructions(
        context: ToolContext,
        instructions: Annotated[
            str | None,
            Field(description="null: the agent's own again", max_length=MAX_INSTRUCTIONS),
        ],
        agent: AgentName | None = None,
        token: BackendToken = None,
    ) -> AgentNamed:
        """Give an agent of the app other instructions in this room, from the model's next request
        on. For backends."""
        backend.check(context.caller, token)
        if instructions is not None and not instructions.strip():
            raise InvalidArguments.of({"instructions": "must not be empty"})
        return {"agent": set_instructions(instructions, agent)}

    @tool
    async def end_session(context: ToolContext, token: BackendToken = None) -> Nothing:
        """Make the agent leave the room for good, after it has answered the waiting questions. For
        backends."""
        backend.check(context.caller, token)
        await end()
        return {}

    return say, ask, handoff, change_instructions, end_session
