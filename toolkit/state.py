"""State: the JSON document that a conversation shares with its tools."""

from typing import Final, Protocol

from toolkit.errors import Unavailable


class State(Protocol):
    """The document of the call's conversation; for a call by RPC, the room's.

    It begins as an empty object, and is stored with the conversation. Participants who see the
    conversation can read it, and get a notice of each change.
    """

    async def get(self, pointer: str = "", /) -> object:
        """A copy of the value at a JSON pointer (RFC 6901), by default of the whole document.

        Raises:
            NotFound: there is nothing.
            Unavailable: it cannot be read from the database now.
        """
        ...

    async def patch(self, *operations: object) -> int:
        """Applies the operations of a JSON patch (RFC 6902), all or none; returns the document's
        new revision. A `test` among them makes sure that nobody changed the values they rely on.

        Raises:
            Conflict: a `test` failed.
            InvalidArguments: an operation is malformed, or points to nothing.
            TooLarge: the document would have more than MAX_STATE_BYTES.
            Unavailable: it cannot be read from the database now.
        """
        ...


class _NoState:
    async def get(self, _: str = "", /) -> object:
        raise Unavailable("There is no conversation here that has a state")

    async def patch(self, *_: object) -> int:
        raise Unavailable("There is no conversation here that has a state")


NO_STATE: Final[State] = _NoState()
"""For a call without a conversation, such as from the shell."""
