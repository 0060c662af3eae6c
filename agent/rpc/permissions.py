"""Permissions: all decisions about people's access to messages and threads.

People are known by the identity that the server gives. `roomAdmin` does not count: it is in a
participant's token, and the server does not share it. Moderators of a room have the role
`moderator`, as for tools (toolkit.permission); what takes the backend is in agent.rpc.backend.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from agent.config.setting_types import StateWriters, WhiteboardClear
from agent.history.message import MessageKey, ThreadKey
from agent.history.position import answer_position
from toolkit.caller import Caller
from toolkit.errors import NotAllowed, NotFound
from toolkit.permission import Permission, role

Everybody: Final[Permission] = lambda _: True  # noqa: E731 - a word in the tables
Moderators: Final[Permission] = role("moderator")
Backends: Final[Permission] = role("backend")
Nobody: Final[Permission] = lambda _: False  # noqa: E731

# Private messages of others answer 404, which reveals nothing.
# fmt: off
MESSAGES: Final[Mapping[str, tuple[Permission, Permission, Permission, Permission]]] = {
    #                 one's own   the answer  the answer   another's
    #                 message     to it       to another's  message
    "stopResponse":  (Everybody,  Everybody,  Moderators,  Moderators),
    "regenerate":    (Everybody,  Everybody,  Nobody,      Nobody),
    "editMessage":   (Everybody,  Nobody,     Nobody,      Nobody),
    "deleteMessage": (Everybody,  Everybody,  Moderators,  Moderators),
    "sendFeedback":  (Nobody,     Everybody,  Everybody,   Nobody),
}
THREADS: Final[Mapping[str, tuple[Permission, Permission]]] = {
    #                 the room's  one's own private one
    "getHistory":    (Everybody,  Everybody),
    "getState":      (Everybody,  Everybody),
    "patchState":    (Everybody,  Everybody),  # and see check_state_writer
    "getMessage":    (Everybody,  Everybody),
    "exportTranscript": (Everybody,  Everybody),
    "getSummary":    (Everybody,  Everybody),
    "deleteThread":  (Moderators, Everybody),
}
# fmt: on


CLEARING: Final[Mapping[WhiteboardClear, Permission]] = {
    "moderators": Moderators,
    "everybody": Everybody,
}


class Whose(IntEnum):
    """The columns of MESSAGES: who owns a message, seen from a caller."""

    OWN_MESSAGE = 0
    ANSWER_TO_OWN = 1
    ANSWER_TO_ANOTHER = 2
    ANOTHERS_MESSAGE = 3


@dataclass(frozen=True, slots=True)
class Named:
    """The target of an id: a participant's message, which is its own `question`, or an answer.

    Attributes:
        question_position: of the question, in its thread; None: not known.
    """

    key: MessageKey
    question: MessageKey
    question_position: int | None = field(default=None, compare=False)

    def position_of(self, message: tuple[str, str]) -> int | None:
        """The position of the question or of its answer, by its sender and id."""
        if message == (self.question.sender_id, self.question.id):
            return self.question_position
        return answer_position(self.question_position)

    def whose(self, caller: Caller) -> Whose:
        own = self.question.sender_id == caller.identity
        if self.key == self.question:
            return Whose.OWN_MESSAGE if own else Whose.ANOTHERS_MESSAGE
        return Whose.ANSWER_TO_OWN if own else Whose.ANSWER_TO_ANOTHER


def choose(method: str, candidates: Iterable[Named], caller: Caller) -> Named:
    """Selects one of the messages with an id, oldest first.

    An id is unique for its sender only: if several are allowed, the caller's own comes first, and
    the newest of those.

    Raises:
        NotFound: the caller can see none.
        NotAllowed: the caller can see one, but not do this to it.
    """
    visible = [each for each in candidates if each.key.thread.owner in {None, caller.identity}]
    if not visible:
        raise NotFound("No such message")
    allowed = [each for each in visible if MESSAGES[method][each.whose(caller)](caller)]
    if not allowed:
        raise NotAllowed("This message is not the caller's to change")
    return min(reversed(allowed), key=lambda each: each.whose(caller))


def check_listening(caller: Caller, listening: str | None, wanted: str | None) -> None:
    """Raises NotAllowed unless somebody may choose the participant to whom the agent listens.

    People may make it listen to themselves, and end that. Everything else would make the agent
    ignore others, or stop listening to somebody: only moderators may do that.

    Args:
        listening: the one person that it listens to now; None: anybody who speaks.
    """
    own = {None, caller.identity}
    if not (wanted in own and listening in own) and not Moderators(caller):
        raise NotAllowed("Only moderators choose whom else the agent listens to")


def check_state_writer(writers: StateWriters, thread: ThreadKey, caller: Caller) -> None:
    """Raises NotAllowed unless somebody may change the state of a thread that they see."""
    if writers == "everyone" or (writers == "moderators" and (thread.owner or Moderators(caller))):
        return
    raise NotAllowed("The state is not the caller's to change")


def check_clearing(caller: Caller, allowed: Permission) -> None:
    """Raises NotAllowed unless somebody may clear the whiteboard, others' drawings included."""
    if not allowed(caller):
        raise NotAllowed("Only moderators clear the whiteboard: erase what is yours")


def check_thread(method: str, thread: ThreadKey, caller: Caller) -> None:
    """Raises NotFound for data private to others, NotAllowed for a forbidden change."""
    if thread.owner not in {None, caller.identity}:
        raise NotFound("No such thread")
    if not THREADS[method][thread.owner is not None](caller):
        raise NotAllowed("The room's thread is not the caller's to change")
