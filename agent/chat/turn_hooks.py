"""TurnHooks: runs the app's hooks before an answer, on its text, and after it."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from agent.app.answer import Answer
from agent.app.hooks import HookError, Hooks, title_of
from agent.app.turn import Turn
from agent.inbox.message import Form
from agent.models.filtered_llm import FilteredLLM

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from agent.chat.active_persona import ActivePersona
    from agent.inbox.message import IncomingMessage
    from agent.models.assistant import StepModel
    from agent.replies.reply_output import Ending
    from toolkit.caller import Caller
    from toolkit.parts import Show
    from toolkit.room import Room

logger = logging.getLogger(__name__)


class TurnHooks:
    """The hooks of the app around the answers of one room. Made only where there are any."""

    def __init__(self, hooks: Hooks, room: Room) -> None:
        self._hooks = hooks
        self._room = room

    @classmethod
    def of(cls, hooks: Hooks, room: Room) -> TurnHooks | None:
        """None where the app has no such hook."""
        if hooks.before_answer or hooks.after_answer or hooks.on_text:
            return cls(hooks, room)
        return None

    async def before(
        self, message: IncomingMessage, caller: Caller, persona: ActivePersona, show: Show
    ) -> Turn:
        """Runs the hooks before an answer and applies their results; `show` takes parts of the
        answer.

        Raises:
            HookError: before_answer failed; the message is not answered without it.
        """
        turn = Turn(
            room=self._room,
            text=message.text,
            message_id=message.id,
            caller=caller,
            private=message.private,
            spoken=message.form is Form.SPEECH,
            agent=persona.name,
            instructions=persona.assistant.instructions,
            on_part=show,
        )
        if self._hooks.before_answer is not None:
            await self._hooks.run("before_answer", turn)
            persona.change_turn(
                instructions=turn.instructions,
                model=turn.model,
                tools=None if turn.tools is None else frozenset(turn.tools),
            )
        if self._hooks.on_text is not None:
            persona.wrap_model(partial(self._filtered, turn))
        return turn

    async def after(self, turn: Turn, ending: Ending, agent: str, segment_id: str) -> None:
        """Calls the app's hook after an answer has ended; its exceptions are logged."""
        if self._hooks.after_answer is None:
            return
        answer = Answer(ending.kept, ending.finish_reason, agent, segment_id)
        try:
            await self._hooks.run("after_answer", turn, answer)
        except HookError:
            logger.info("hook after_answer failed; the answer is unchanged")

    def _filtered(self, turn: Turn, model: StepModel) -> FilteredLLM:
        on_text = self._hooks.on_text
        assert on_text is not None  # noqa: S101 - see `before`

        def run(texts: AsyncIterable[str]) -> AsyncIterator[str]:
            return on_text(turn, texts)

        def failed(error: Exception) -> HookError:
            logger.error(
                "hook on_text (%s) failed, the answer ends here", title_of(on_text), exc_info=error
            )
            return HookError("on_text")

        return FilteredLLM(model, run, timeout=self._hooks.timeout, on_failure=failed)
