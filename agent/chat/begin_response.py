"""Begins a response: builds the model's context, or takes the text that the app gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.agents import llm

if TYPE_CHECKING:
    from agent.app.turn import Turn
    from agent.chat.context import Context
    from agent.chat.question import Question
    from agent.chat.responder import Responder, Response


async def begin_response(
    responder: Responder, context: Context, question: Question, turn: Turn | None
) -> Response:
    """Begins to answer a question, or to say something unasked.

    `turn` has the results of the app's hooks, if it has any.
    """
    message = question.message
    before = context.before(message)
    noted = context.say_own(message) if message.is_own else context.note(message)
    if question.begun is not None:
        return await question.begun()
    text = question.own_text if turn is None else turn.own_answer
    if text is not None:
        return await responder.say(text)
    if turn is not None and turn.context:
        told = "\n\n".join(turn.context)
        added = llm.ChatMessage(role="user", content=[f"[For your next answer:\n{told}]"])
        before.items.append(added)
    return await responder.respond(before, noted, own=message.is_own)
