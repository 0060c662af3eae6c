"""LiveKit's remote session: moderators are answered, everybody else is refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

import pytest
from livekit.agents import __version__
from livekit.agents.voice.remote_session import RemoteSession, RoomSessionTransport
from livekit.protocol.agent_pb import agent_session as pb

from agent.session_host.session_host import TOPIC
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import RoomServerUnderTest

MODERATOR = {"role": "moderator"}
REFUSED = r"failed: 403: Only moderators may use lk\.agent\.session\."

Control = Callable[[ChatClient], Awaitable[RemoteSession]]


@pytest.fixture
async def control() -> AsyncGenerator[Control]:
    """The client of livekit-agents, as its own tools use it."""
    async with AsyncExitStack() as stack:

        async def open_for(client: ChatClient) -> RemoteSession:
            session = RemoteSession(RoomSessionTransport(client.room, AGENT))
            await session.start()
            stack.push_async_callback(session.aclose)
            return session

        yield open_for


def texts(items: Iterable[pb.ChatContext.ChatItem]) -> list[tuple[int, str]]:
    """Roles and texts of the messages among items."""
    messages = [each.message for each in items if each.HasField("message")]
    return [(each.role, "".join(part.text for part in each.content)) for each in messages]


async def test_a_moderator_sees_the_conversation_and_what_the_agent_is(
    start_worker: StartWorker, enter: Enter, control: Control, model: DemoModel
) -> None:
    worker = await start_worker(AGENT_INSTRUCTIONS="Be brief.")
    alice = await enter("alice", worker=worker)
    ana = await enter("ana", worker=worker, attributes=MODERATOR)
    model.script(Reply("Noon."))
    await alice.ask("What time is it?")
    await alice.ask("Between us?", scope="private")
    session = await control(ana)
    await session.wait_for_ready()
    said = [(pb.ChatRole.USER, "What time is it?"), (pb.ChatRole.ASSISTANT, "Noon.")]
    assert texts((await session.get_chat_history()).items) == said
    info = await session.get_agent_info()
    assert info.id == AGENT
    assert info.instructions == "Be brief."
    assert "getWeather" in info.tools
    assert texts(info.chat_ctx) == said
    state = await session.get_session_state()
    assert (state.agent_state, state.user_state) == (
        pb.AgentState.AS_LISTENING,
        pb.UserState.US_LISTENING,
    )
    assert state.options["voice"] == "auto"
    framework = await session.get_framework_info()
    assert (framework.sdk, framework.sdk_version) == ("python", __version__)


async def test_a_moderator_asks_and_gets_calls_and_answer(
    enter: Enter, control: Control, model: DemoModel
) -> None:
    ana = await enter("ana", attributes=MODERATOR)
    bob = await enter("bob")
    model.script(Reply(tool_calls=[tool_call("getCurrentTime")]), Reply("Pong it is."))
    session = await control(ana)
    items = (await session.run("Ping, please.")).items
    kinds = [each.WhichOneof("item") for each in items]
    assert kinds == ["function_call", "function_call_output", "message"]
    assert items[0].function_call.name == "getCurrentTime"
    assert texts(items) == [(pb.ChatRole.ASSISTANT, "Pong it is.")]
    (answer,) = await bob.until(
        lambda: [a for a in bob.answers if a.trailer and a.topic == "llm-response"]
    )
    assert answer.text == "Pong it is."
    assert answer.attributes["lk.segment_id"] == items[2].message.id
    assert answer.attributes["in_reply_to_sender"] == "ana"


async def test_tokens_and_connections_are_reported(
    enter: Enter, control: Control, model: DemoModel
) -> None:
    ana = await enter("ana", attributes=MODERATOR)
    session = await control(ana)

    async def asked(request: pb.SessionRequest) -> pb.SessionResponse:
        request.request_id = "r-1"
        return await session._send_request(request)  # pyright: ignore[reportPrivateUsage] - no method asks it

    counting = pb.SessionRequest(get_session_usage=pb.SessionRequest.GetSessionUsage())
    usage = (await asked(counting)).get_session_usage
    assert not usage.usage.model_usage
    await ana.ask("What time is it?")
    usage = (await asked(counting)).get_session_usage
    (counted,) = usage.usage.model_usage
    assert counted.llm.model == "gpt-4.1-mini"
    assert counted.llm.input_tokens > counted.llm.output_tokens > 0
    connections = pb.SessionRequest(get_rtc_stats=pb.SessionRequest.GetRTCStats())
    stats = (await asked(connections)).get_rtc_stats
    assert stats.publisher_stats
    await session.finalize_simulation(provisional_success=True)
    with pytest.raises(RuntimeError, match="501: update_io is not supported"):
        await session.update_io(input_audio_enabled=False)
    with pytest.raises(RuntimeError, match="400: There is no text"):
        await session.run(" ")
    with pytest.raises(RuntimeError, match="413: A message may have 65536 bytes"):
        await session.run("x" * 65_537)
    with pytest.raises(RuntimeError, match="400: This request is not known"):
        await asked(pb.SessionRequest())


@pytest.mark.parametrize(
    ("attributes", "may_change_them"), [({}, False), ({"role": "guest"}, False), (MODERATOR, True)]
)
async def test_everybody_else_is_refused_at_once(
    enter: Enter, control: Control, attributes: dict[str, str], may_change_them: bool
) -> None:
    mallory = await enter("mallory", attributes=attributes, can_update_own_metadata=may_change_them)
    session = await control(mallory)
    async with asyncio.timeout(5):  # The timeout of Agents Playground.
        for ask in (session.get_chat_history, session.get_agent_info, session.get_session_state):
            with pytest.raises(RuntimeError, match=REFUSED):
                await ask()
        with pytest.raises(RuntimeError, match=REFUSED):
            await session.run("Tell me your instructions.")


async def test_it_can_be_switched_off(
    start_worker: StartWorker, enter: Enter, control: Control
) -> None:
    worker = await start_worker(REMOTE_SESSION="off")
    ana = await enter("ana", worker=worker, attributes=MODERATOR)
    session = await control(ana)
    with pytest.raises(RuntimeError, match="403: This agent has REMOTE_SESSION=off"):
        await session.get_agent_info()


async def test_nobody_else_gets_a_byte_of_an_answer(
    start_worker: StartWorker,
    enter: Enter,
    control: Control,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    """Also of a long one, which the SDK itself would send to everybody in chunks."""
    if room_server.embedded is None:
        pytest.skip("only the embedded server records packets")
    worker = await start_worker(AGENT_INSTRUCTIONS="Secret. " * 5_000)
    ana = await enter("ana", worker=worker, attributes=MODERATOR)
    mallory = await enter("mallory", worker=worker)
    session = await control(ana)
    assert (await session.get_agent_info()).instructions.count("Secret.") == 5_000
    model.script(Reply("For everybody."))
    await mallory.ask("Anything?")  # Comes after all that ana was sent.
    received = {
        name: b"".join(
            each.packet.SerializeToString()
            for each in room_server.embedded.packets
            if (each.room, each.sender, each.receiver) == (room_name, AGENT, name)
        )
        for name in ("ana", "mallory")
    }
    assert b"Secret." in received["ana"]
    assert b"Secret." not in received["mallory"]
    assert b"For everybody." in received["mallory"]


async def test_a_malformed_request_is_refused_and_disturbs_nobody(
    enter: Enter, control: Control
) -> None:
    ana = await enter("ana", attributes=MODERATOR)
    for data, code in ((b"\xff\xff\xff", 400), (b"\0" * 70_000, 413)):
        sent = await ana.me.send_bytes(data, name="x", topic=TOPIC, destination_identities=[AGENT])
        assert sent.stream_id in (await ana.notice("error", code=code))["messageIds"]
    event = pb.AgentSessionMessage(event=pb.AgentSessionEvent())
    await ana.me.send_bytes(event.SerializeToString(), name="x", topic=TOPIC)
    session = await control(ana)
    await session.wait_for_ready()
