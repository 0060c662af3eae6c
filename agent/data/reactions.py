"""reactions: an emoji on a message, stored in the history, sent to the room and to the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field

from agent.data.emoji import is_emoji
from agent.data.packet import Packet
from agent.data.rate import Rate
from agent.data.topic import Topic, TopicHandler
from agent.history.errors import InvalidValueError, NotFoundError, UnavailableError
from agent.history.message import MAX_ID_LENGTH, Message
from agent.history.message import Reaction as KeptReaction
from agent.inbox.message import Sender
from agent.wire.refusal import Refusal

MAX_EMOJIS: Final = 20
"""Different emojis on one message."""

QUOTED: Final = 80
"""Characters of an answer that identify it to the model."""

RETRY_AFTER: Final = 5.0


def _check_emoji(value: str) -> str:
    if not is_emoji(value):
        raise ValueError("must be one emoji")
    return value


MessageId = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]


class Reaction(BaseModel):
    """An emoji that its sender puts on a message.

    Attributes:
        target_sender_id: whose message it is; needed where two people gave the same id.
        remove: takes it away instead.
    """

    emoji: Annotated[str, AfterValidator(_check_emoji)]
    target_message_id: MessageId = Field(validation_alias="targetMessageId")
    target_sender_id: MessageId | None = Field(None, validation_alias="targetSenderId")
    remove: bool = False


class ReactionHandler(TopicHandler[Reaction]):
    """Stores reactions to messages that their sender can see, and notifies everybody who can see
    the message."""

    async def take(self, packet: Packet[Reaction]) -> None:
        # A reaction may overtake the answer that it is about on its way into the database.
        await self.room.settled()
        try:
            await self._take(packet.content, packet.sender)
        except (NotFoundError, InvalidValueError):
            raise _NO_MESSAGE from None
        except UnavailableError:
            sentence = "Reactions cannot be kept right now."
            raise Refusal(503, sentence, retry_after=RETRY_AFTER) from None

    async def _take(self, reaction: Reaction, sender: Sender) -> None:
        asker = sender.identity
        message = await self._find(reaction, asker)
        if any(_is_there(each, reaction, asker) for each in message.reactions) != reaction.remove:
            return
        emojis = {each.emoji for each in message.reactions}
        if not reaction.remove and len(emojis | {reaction.emoji}) > MAX_EMOJIS:
            raise Refusal(413, f"A message may have {MAX_EMOJIS} different reactions.")
        await self.room.history.set_reaction(
            message.key, reaction.emoji, asker=asker, present=not reaction.remove
        )
        self._tell(await self._find(reaction, asker), reaction, sender)

    async def _find(self, reaction: Reaction, asker: str) -> Message:
        found: Sequence[Message] = await self.room.history.find(
            self.room.conversation, reaction.target_message_id, asker=asker
        )
        whose = reaction.target_sender_id
        found = [each for each in found if whose in {None, each.sender_id}]
        if not found:
            raise _NO_MESSAGE
        if len({each.sender_id for each in found}) > 1:
            raise Refusal(400, 'Several people gave this id to a message: say "targetSenderId".')
        return found[0]

    def _tell(self, message: Message, reaction: Reaction, sender: Sender) -> None:
        owner = message.thread.owner
        self.room.notices.tell(
            owner,
            "reactions.changed",
            "",
            messageId=message.id,
            messageSenderId=message.sender_id,
            thread=message.thread.id,
            position=message.position,
            emoji=reaction.emoji,
            reactedBy=sender.identity,
            removed=reaction.remove,
            reactions=[
                {"emoji": each.emoji, "count": len(each.identities)} for each in message.reactions
            ],
        )
        if message.role == "assistant":
            did = "took back" if reaction.remove else "reacted with"
            quoted = " ".join(message.text[: 2 * QUOTED].split())[:QUOTED]
            said = f'{sender.label} {did} {reaction.emoji} to your answer that begins: "{quoted}"'
            self.room.tell_model(owner, said)


_NO_MESSAGE: Final = Refusal(404, "There is no such message, or its answer has not ended yet.")


def _is_there(kept: KeptReaction, reaction: Reaction, identity: str) -> bool:
    return kept.emoji == reaction.emoji and identity in kept.identities


REACTIONS: Final[Topic[Any]] = Topic(
    "reactions",
    content=Reaction,
    handler=ReactionHandler,
    rate=Rate(per_second=10, burst=50),
    aliases=("reaction",),
)
