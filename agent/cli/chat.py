"""`chat`: a terminal client."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.command import (
    CommandError,
    PatienceOption,
    RoomOption,
    complain,
    made_up_identity,
    run,
    show,
)
from agent.cli.own_identity import kept_identity
from agent.cli.participant_options import AttributeOption, NameOption, RoleOption, attributes_of
from agent.cli.target import find_target, name_slips

if TYPE_CHECKING:
    from livekit import rtc

    from agent.cli.room_client import Person
    from agent.client import RoomAgent

FILES_DIR = "received"


def chat(  # noqa: PLR0913, PLR0917 - each is an option
    text: Annotated[
        str | None, typer.Argument(help="The message. Without it: piped input, or a conversation.")
    ] = None,
    room: RoomOption = "demo",
    identity: Annotated[
        str, typer.Option(help="Your identity; by default the same one each time.")
    ] = "",
    name: NameOption = "",
    role: RoleOption = None,
    attribute: AttributeOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything that arrives as lines of JSON.")
    ] = False,
    patience: PatienceOption = 60.0,
) -> None:
    """Talk to the agent in a room."""
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read().strip()
    run(_chat(text, room, identity, (name, role, attribute), as_json, patience))


async def _chat(
    text: str | None,
    room: str,
    identity: str,
    who: tuple[str, list[str] | None, list[str] | None],
    as_json: bool,
    patience: float,
) -> None:
    from agent.cli.room_client import Person, joined  # noqa: PLC0415 - see agent/cli/__init__.py

    for slip in name_slips(os.environ):
        complain(slip)
    if text == "":
        raise CommandError("there is nothing to say")
    target = find_target(os.environ)
    name, roles, given = who
    person = Person(identity or kept_identity(os.environ), name, attributes_of(roles, given))
    if not identity:
        person = await _unless_there(person, room)
    from agent.client import RoomAgent  # noqa: PLC0415 - as above

    made: list[RoomAgent] = []

    def prepare(livekit_room: "rtc.Room") -> None:
        agent = RoomAgent(livekit_room, topic=target.reply_topic, files=Path(FILES_DIR))
        made.append(agent)

    async with joined(target, room, person, patience, prepare=prepare) as client:
        (agent,) = made
        agent.follow(client.agent)
        await agent.ready(patience)
        try:
            if text is not None:
                await _ask(agent, text, patience, as_json=as_json)
            else:
                from agent.cli.conversation import Conversation  # noqa: PLC0415 - as above

                complain(f"In room {room} at {target.url} with {client.agent}. /help; Ctrl-D ends.")
                await Conversation(agent, patience).run()
        finally:
            await agent.aclose()


async def _unless_there(person: "Person", room: str) -> "Person":
    """The person, with another identity if theirs is in the room already, such as in another
    terminal: the server would disconnect that one."""
    from livekit import api  # noqa: PLC0415 - as above

    from agent.cli.room_api import FAILURES, room_api  # noqa: PLC0415 - as above

    try:
        async with room_api(find_target(os.environ)) as service:
            there = await service.room.list_participants(api.ListParticipantsRequest(room=room))
    except FAILURES:
        return person  # Joining says what is wrong.
    if any(each.identity == person.identity for each in there.participants):
        return replace(person, identity=made_up_identity())
    return person


async def _ask(agent: "RoomAgent", text: str, patience: float, *, as_json: bool) -> None:
    """Says something and shows the answer as it comes; raises CommandError without a whole one."""
    from agent.client import AgentError, Delta, Shown  # noqa: PLC0415 - as above

    shown = False
    try:
        answer = await agent.ask(text, silence=patience)
        async for event in answer:
            if as_json and isinstance(event, Delta):
                show(json.dumps({"type": "text", "text": event.text}, ensure_ascii=False))
            elif as_json and isinstance(event, Shown):
                show(json.dumps({"type": "part", "part": event.part}, ensure_ascii=False))
            elif isinstance(event, Delta):
                show(event.text, end="")
                shown = True
        if as_json:
            end = {"type": "end", "messageId": answer.segment_id}
            show(json.dumps(end | {"finishReason": answer.finish_reason}))
    except AgentError as error:
        if as_json:
            show(json.dumps({"type": "error", "code": error.code, "message": str(error)}))
        raise CommandError(str(error)) from error
    finally:
        if shown:
            show("")
