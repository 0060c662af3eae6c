"""Code in a livekit Agent finds its job, as it does in an entrypoint."""

from __future__ import annotations

import pytest
from livekit import api
from livekit.agents import Agent, ToolError, function_tool, get_job_context
from livekit.agents.beta.tools import EndCallTool

from agent import App
from devserver.model import DemoModel, Reply
from tests.agent.app.session_room import calling, read_by
from tests.agent.conftest import Enter, StartWorker

METADATA = '{"language": "en"}'


class Porter(Agent):
    """Looks at its job, and ends calls."""

    ended: list[str]

    def __init__(self) -> None:
        super().__init__(instructions="You open doors.", tools=[EndCallTool()])

    async def on_enter(self) -> None:
        async def note(reason: str) -> None:
            self.ended.append(f"{reason} in {get_job_context().job.room.name}")

        get_job_context().add_shutdown_callback(note)

    @function_tool
    async def look(self) -> str:
        """Look around."""
        job = get_job_context()
        person = await job.wait_for_participant()
        listed = await job.api.room.list_rooms(api.ListRoomsRequest(names=[job.room.name]))
        if not job.agent.identity:
            raise ToolError("nobody")
        return f"{person.identity} {job.job.metadata} {len(listed.rooms)}"


async def test_its_tools_use_the_room_and_the_servers_api(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    Porter.ended = []
    worker = await start_worker(app=App({"porter": Porter}))
    alice = await enter("alice", worker=worker, metadata=METADATA)
    model.script(calling("look"), Reply("Alice is here."))
    assert (await alice.ask("Who is here?")).text == "Alice is here."
    assert read_by(model)[-1] == ("tool", f"alice {METADATA} 1")


async def test_end_call_ends_the_room_and_a_private_conversation_leaves_it(
    start_worker: StartWorker, enter: Enter, model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    Porter.ended = []
    worker = await start_worker(app=App({"porter": Porter}))
    alice = await enter("alice", worker=worker)
    model.script(calling("end_call"), Reply("Bye, Alice."))
    asked = await alice.say("Good-bye", scope="private")
    await alice.notice("answer.finished", inReplyTo=asked)
    model.script(Reply("Yes."))
    assert (await alice.ask("Are you there?")).text == "Yes."
    assert alice.room.isconnected()
    model.script(calling("end_call"), Reply("Bye, all."))
    answer = await alice.ask("Good-bye")
    assert (answer.text, answer.finish_reason) == ("Bye, all.", "stop")
    await alice.until(lambda: not alice.room.isconnected())
    await worker.host.until_left()
    assert worker.host.admission.free == worker.settings.agent_max_rooms
    # The session that follows one that has ended enters, and ends with the stay.
    assert Porter.ended.count(f"user_initiated in {alice.room.name}") == 2
    assert "no job context" not in caplog.text
