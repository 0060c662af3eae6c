"""OwnChanges: the writes of an OwnHistory, each one a turn that is read, changed and saved."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.history.errors import NotFoundError
from agent.history.message import (
    Added,
    Feedback,
    Message,
    MessageKey,
    Reaction,
    ThreadKey,
    Unanswered,
)
from agent.history.own_turns import EVERYTHING, as_read, without_content
from agent.history.position import message_position
from agent.history.turn_store import Opinion, StoredTurn

if TYPE_CHECKING:
    from agent.history.own_summaries import OwnSummaries
    from agent.history.own_turns import OwnTurns


class OwnChanges:
    """Implements the writes of History; the caller has checked permissions."""

    def __init__(self, turns: OwnTurns, summaries: OwnSummaries) -> None:
        self._turns = turns
        self._store = turns.store
        self._summaries = summaries

    async def add_message(self, message: Message) -> Added:
        turn = StoredTurn(message.key, _now())
        if message.role == "user":
            turn = replace(turn, question=message)
        else:
            turn = replace(turn, answer=message)
        async with self._turns.lock(message.thread):
            number = await self._turns.use(self._store.add(turn))
            if number is None and turn.question is not None:
                number = await self._complete(turn.question)
        if number is None:
            return Added(is_new=False, is_stored=True)
        return Added(is_new=True, position=message_position(number), is_stored=True)

    async def _complete(self, question: Message) -> int | None:
        """Adds a question to a turn that only has its answer: the store failed in between.

        Returns the turn's number; None: it has its question.
        """
        turn = await self._turns.use(self._store.load(question.key))
        if turn is None or turn.question is not None:
            return None
        if turn.answer is not None and turn.answer.finish_reason is not None:
            question = replace(question, awaits_answer=False)
        await self._save(replace(turn, stored_at=_now(), question=question))
        return turn.number

    async def begin_answer(self, answer: Message) -> Message:
        async with self._turns.lock(answer.thread):
            turn = await self._turns.use(self._store.load(answer.turn))
            if turn is None:
                await self._turns.use(
                    self._store.add(StoredTurn(answer.turn, _now(), answer=answer))
                )
            elif turn.answer is not None:
                former = turn.answer
                is_over = turn.question is None or not turn.question.awaits_answer
                return replace(
                    answer,
                    sender_id=former.sender_id,
                    id=former.id,
                    text=former.text,
                    finish_reason=former.finish_reason if is_over else None,
                )
            else:
                await self._save(replace(turn, answer=answer))
        return answer

    async def finish_answer(self, answer: Message) -> None:
        async with self._turns.lock(answer.thread):
            turn = await self._turns.use(self._store.load(answer.turn))
            if turn is None:
                ended = StoredTurn(
                    answer.turn, _now(), answer=answer, is_told=answer.in_reply_to is None
                )
                await self._turns.use(self._store.add(ended))
                return
            if turn.key.id in turn.erased:
                await self._save(_erase(replace(turn, answer=answer)))
                return
            former = turn.answer
            erased = tuple(each for each in turn.erased if former is None or each != former.id)
            question = turn.question
            await self._save(
                replace(
                    turn,
                    stored_at=_now(),
                    question=None if question is None else replace(question, awaits_answer=False),
                    answer=replace(answer, reactions=former.reactions if former else ()),
                    erased=erased,
                    is_told=answer.in_reply_to is None,
                )
            )

    async def end_told(self, answer: MessageKey) -> None:
        """Notes that the end of an answer went out."""
        async with self._turns.lock(answer.thread):
            try:
                turn = await self._turns.having(answer)
            except NotFoundError:
                return
            if not turn.is_told:
                await self._save(replace(turn, is_told=True))

    async def ask_again(
        self, question: MessageKey, text: str | None, *, awaits_answer: bool
    ) -> Unanswered:
        async with self._turns.lock(question.thread):
            turn = await self._turns.having(question)
            if turn.question is None or turn.key != question:
                raise NotFoundError("There is no such message.")
            message = replace(turn.question, awaits_answer=awaits_answer)
            if awaits_answer:
                message = replace(message, generation=message.generation + 1)
            if text is not None:
                message = replace(message, text=text, edited_at=_now())
            kept = tuple(each for each in turn.opinions if each.message == question.id)
            await self._save(replace(turn, question=message, opinions=kept))
            await self._summaries.drop(question.thread, changed=turn)
        return Unanswered(as_read(turn, message), None if turn.answer is None else turn.answer.id)

    async def delete_message(self, message: MessageKey) -> tuple[MessageKey, ...]:
        async with self._turns.lock(message.thread):
            turn = await self._turns.having(message)
            await self._summaries.drop(message.thread, changed=turn)
            is_whole = turn.key == message
            erased = _erase(turn) if is_whole else _erase(turn, message.id)
            await self._save(erased)
        return _newly_erased(turn, erased)

    async def delete_thread(self, thread: ThreadKey) -> int:
        count = 0
        async with self._turns.lock(thread):
            await self._summaries.forget(thread)
            async for turn in self._turns.of_thread(thread, most=EVERYTHING):
                erased = _erase(turn)
                gone = len(_newly_erased(turn, erased))
                if gone:
                    await self._save(erased)
                count += gone
        return count

    async def set_reaction(
        self, message: MessageKey, emoji: str, asker: str, *, present: bool
    ) -> None:
        mine = Reaction(emoji, (asker,))

        def react(each: Message) -> Message:
            if present:
                kept = each.reactions if mine in each.reactions else (*each.reactions, mine)
            else:
                kept = tuple(one for one in each.reactions if one != mine)
            return replace(each, reactions=kept)

        async with self._turns.lock(message.thread):
            turn = await self._turns.having(message)
            if turn.question is not None and turn.question.key == message:
                turn = replace(turn, question=react(turn.question))
            elif turn.answer is not None:
                turn = replace(turn, answer=react(turn.answer))
            await self._save(turn)

    async def set_feedback(self, message: MessageKey, feedback: Feedback) -> None:
        given = Opinion(message.id, feedback.identity, feedback.value, feedback.comment)
        async with self._turns.lock(message.thread):
            turn = await self._turns.having(message)
            others = (
                each
                for each in turn.opinions
                if (each.message, each.identity) != (given.message, given.identity)
            )
            await self._save(replace(turn, opinions=(*others, given)))

    async def _save(self, turn: StoredTurn) -> None:
        await self._turns.use(self._store.save(turn))


def _erase(turn: StoredTurn, only: str | None = None) -> StoredTurn:
    """A turn without the text of a deleted message, or of all its messages."""
    gone = {each.id for each in turn.messages if only is None or each.id == only}
    question, answer = turn.question, turn.answer
    return replace(
        turn,
        question=without_content(question) if question and question.id in gone else question,
        answer=without_content(answer) if answer and answer.id in gone else answer,
        erased=(*turn.erased, *sorted(gone - {*turn.erased})),
        opinions=tuple(each for each in turn.opinions if each.message not in gone),
    )


def _newly_erased(before: StoredTurn, after: StoredTurn) -> tuple[MessageKey, ...]:
    return tuple(
        each.key
        for each in after.messages
        if each.id in after.erased and each.id not in before.erased
    )


def _now() -> int:
    return int(time.time() * 1000)
