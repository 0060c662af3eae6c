"""RoomErasure: erases data while its room is live."""

from __future__ import annotations

import asyncio
import logging

from agent.accounts.room_accounts import RoomAccounts
from agent.chat.conversations import Conversations
from agent.contract.answers import ErasedCounts
from agent.data.room_topics import RoomTopics
from agent.erasure.eraser import Eraser
from agent.history.erasure import Subject
from agent.history.errors import UnavailableError
from agent.history.message import ThreadKey
from agent.rpc.erasure_methods import Scope
from agent.state.room_states import RoomStates
from agent.tasks import Tasks
from agent.wire.notices import Notices

logger = logging.getLogger(__name__)


class RoomErasure:
    """Erases a participant's data from a room's live state and from the stores, and notifies the
    room.

    Args:
        room: the room's name.
        conversation: its name in the history.
        live: the live state to clear besides the stores.
    """

    def __init__(
        self,
        room: str,
        conversation: str,
        eraser: Eraser,
        notices: Notices,
        *,
        live: tuple[Conversations, RoomTopics, RoomStates, RoomAccounts],
    ) -> None:
        self._room = room
        self._conversation = conversation
        self._eraser = eraser
        self._conversations, self._topics, self._states, self._accounts = live
        self._notices = notices
        self._one_at_a_time = asyncio.Lock()
        self._tasks = Tasks()

    async def erase(self, identity: str | None, scope: Scope) -> ErasedCounts:
        """Erases a participant's data, or everybody's; continues if the caller is cancelled.

        Returns:
            The receipt: counts by kind.

        Raises:
            HistoryError: nothing, or not everything, was erased; call it again.
        """
        work = self._erase(identity, scope)
        return await asyncio.shield(self._tasks.start(work, name="erase", is_awaited=True))

    async def aclose(self) -> None:
        """Waits for erasures in progress."""
        await self._tasks.ended()

    async def _erase(self, identity: str | None, scope: Scope) -> ErasedCounts:
        async with self._one_at_a_time:
            gone = await self._conversations.forget(identity)
            self._accounts.forget(identity)
            await self._topics.erase(identity)
            for owner in {identity, *gone}:
                await self._states.clear(owner)
            try:
                receipt = await self._eraser.erase(self._subject(identity, "conversation"))
                if scope != "conversation":
                    rest = await self._eraser.erase(self._subject(identity, scope))
                    receipt += rest
            except OSError as error:
                raise UnavailableError(f"files not erased: {error.strerror}") from None
            gone += await self._conversations.forget(identity)
        self._tell(identity, {None, *gone} if identity is None else set(gone))
        counts = ", ".join(f"{name} {count}" for name, count in receipt.as_json().items())
        logger.info("data erased on request: %s", counts, extra={"room": self._room})
        return receipt.as_json()

    def _subject(self, identity: str | None, scope: Scope) -> Subject:
        match scope:
            case "conversation":
                return Subject(identity, conversation=self._conversation)
            case "room":
                return Subject(identity, room=self._room)
            case "everywhere":
                return Subject(identity)

    def _tell(self, identity: str | None, gone: set[str | None]) -> None:
        for owner in gone:
            thread = ThreadKey(self._conversation, owner).id
            self._notices.tell(owner, "thread.deleted", "", thread=thread)
        if identity is not None:
            self._notices.tell(None, "author.erased", "", authorId=identity, thread="room")
