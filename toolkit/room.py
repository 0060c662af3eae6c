"""Room: the agent's room, for tools and hooks."""

from collections.abc import Mapping, MutableMapping
from typing import Protocol

from toolkit.caller import Caller


class Room(Protocol):
    """The room of a call or a hook, from the agent's joining to its leaving.

    Its methods may be called on the loop of the rooms only, as hooks and async tools are.
    """

    @property
    def name(self) -> str: ...

    @property
    def userdata(self) -> MutableMapping[str, object]:
        """The app's own data for this stay."""
        ...

    @property
    def participants(self) -> Mapping[str, Caller]:
        """The people in the room by identity, as the server describes them; without agents."""
        ...

    @property
    def agent(self) -> str:
        """The name of the agent that answers in the room's conversation."""
        ...

    def say(self, text: str, *, to: str | None = None, private: bool | None = None) -> str:
        """Says something unasked, after the answer in progress; returns its segment id.

        Args:
            text: the text to say; what the room gets is also spoken if the room has a voice.
            to: identity of the participant to whom it is said; None: everybody.
            private: only they get it, in their private conversation; False: the room gets it, and
                it is theirs to stop. Private unless given, if `to` is.

        Raises:
            ToolError: the text is empty or too long, nobody of that identity is in the room, too
                many unasked answers wait, or the agent is leaving.
        """
        ...

    def ask(self, instruction: str, *, to: str | None = None, private: bool | None = None) -> str:
        """Makes the model say something by this instruction, which is not shown; otherwise like
        `say`. Tools that it calls run for `to`, whose roles count and who is asked to approve."""
        ...

    def hand_off(self, agent: str, message: str = "", *, to: str | None = None) -> None:
        """Hands the room's conversation, or that of one participant, to another agent of the app.
        Raises ToolError."""
        ...

    async def publish(self, topic: str, data: object, *, to: str | None = None) -> None:
        """Sends a reliable data packet: bytes as they are, anything else as JSON.

        Raises:
            ToolError: it is over 15 kB, is no JSON, or cannot be sent now.
        """
        ...
