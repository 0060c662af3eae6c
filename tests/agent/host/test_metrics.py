"""`/metrics` of a worker in one process, after what happens in rooms."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict

import aiohttp
import pytest
from livekit import rtc

from agent.telemetry.own_metrics import own_metrics
from agent.tool_calls.method_list import ATTRIBUTE
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.telemetry.test_metrics import samples
from tests.agent.tool_calls.test_client_methods import GET_LOCATION


async def metrics(worker: Worker) -> defaultdict[str, float]:
    """By name and labels."""
    url = f"http://127.0.0.1:{worker.server.worker_info.http_port}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return defaultdict(float, samples(await answer.text()))


async def since(worker: Worker, before: dict[str, float], expected: dict[str, float]) -> None:
    """Returns when these have grown by so much. The page announces nothing: it is asked again."""
    async with asyncio.timeout(20):
        while True:
            now = await metrics(worker)
            grown = {name: now[name] - before.get(name, 0.0) for name in expected}
            if grown == expected:
                return


def tool_calls(tool: str) -> str:
    """The count of calls by the model that succeeded."""
    return f"room_agent_tool_seconds_count[('by', 'model'), ('code', 'ok'), ('tool', '{tool}')]"


async def test_a_conversation_is_counted(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(LLM_MODEL="some-model")
    before = await metrics(worker)
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("getCurrentTime", '{"timezone": "Europe/Paris"}')]))

    await alice.ask("What time is it in Paris?")
    await alice.call("getCurrentTime", '{"timezone": "Europe/Paris"}')
    with pytest.raises(rtc.RpcError):
        await alice.call("getCurrentTime", '{"timezone": 5}')

    await since(
        worker,
        before,
        {
            "room_agent_rooms[('state', 'held')]": 1,
            "room_agent_join_seconds_count[]": 1,
            "room_agent_messages_total[('form', 'stream')]": 1,
            "room_agent_answers_total[('finish_reason', 'stop')]": 1,
            "room_agent_first_token_seconds_count[]": 1,
            "room_agent_answer_seconds_count[]": 1,
            "room_agent_questions_waiting[]": 0,
            "room_agent_model_request_seconds_count[('model', 'some-model')]": 2,
            tool_calls("getCurrentTime"): 1,
            "room_agent_rpc_seconds_count[('code', 'ok'), ('method', 'getCurrentTime')]": 1,
            "room_agent_rpc_seconds_count[('code', '400'), ('method', 'getCurrentTime')]": 1,
        },
    )
    found = await metrics(worker)
    assert found["room_agent_tokens_total[('kind', 'input'), ('model', 'some-model')]"] > 0
    assert found["room_agent_tokens_total[('kind', 'output'), ('model', 'some-model')]"] > 0
    assert (
        found["room_agent_history_seconds_count[]"] > before["room_agent_history_seconds_count[]"]
    )
    assert found["room_agent_connected[]"] == 1
    assert found["room_agent_rooms_max[]"] == 25
    assert found["room_agent_process_up[('process', '0')]"] == 1
    async with asyncio.timeout(20):  # It is measured once a second.
        while not (await metrics(worker))["room_agent_loop_lag_seconds_count[('loop', 'rooms')]"]:
            pass


async def test_failures_refusals_and_packets_of_the_apps_own_are_counted(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(LLM_RETRIES="1", MAX_MESSAGE_BYTES="100")
    before = await metrics(worker)
    alice = await enter("alice", worker=worker)
    model.script(Reply(status=500), Reply(status=500))

    assert (await alice.ask("Hello?")).finish_reason == "error"
    await alice.say("x" * 1000)
    await alice.notice("error", code=413)
    for _ in range(2):
        await alice.send_packet({"type": "move"}, "my-app")
    await alice.ask("Hello again?")  # Comes after the packets.

    await since(
        worker,
        before,
        {
            "room_agent_answers_total[('finish_reason', 'error')]": 1,
            "room_agent_model_errors_total[('status', '500')]": 2,
            "room_agent_model_retries_total[]": 1,
            "room_agent_refusals_total[('code', '413')]": 1,
            "room_agent_packets_ignored_total[]": 2,
        },
    )


async def test_a_storm_of_scrapes_makes_few_pages(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start_worker()
    made = 0

    def page() -> str:
        nonlocal made
        made += 1
        return own_metrics()

    monkeypatch.setattr("agent.host.worker_server.own_metrics", page)
    monkeypatch.setattr("agent.host.worker_server.METRICS_LAST", 3600.0)
    await asyncio.gather(*(metrics(worker) for _ in range(50)))
    assert made == 1


async def test_a_client_names_no_series_with_its_methods(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker()
    before = await metrics(worker)
    offer = {ATTRIBUTE: json.dumps([{**GET_LOCATION, "name": "chosenByTheClient"}])}
    alice = await enter("alice", worker=worker, attributes=offer)
    alice.me.register_rpc_method("chosenByTheClient", _answered)
    model.script(
        Reply(tool_calls=[tool_call("chosenByTheClient", '{"precision": "city"}')]),
        Reply("It is done."),
    )

    await alice.ask("Do it")

    name = "room_agent_tool_seconds_count[('by', 'model'), ('code', 'ok'), ('tool', '{}')]"
    await since(
        worker, before, {name.format("client method"): 1, name.format("chosenByTheClient"): 0}
    )


async def _answered(_: rtc.RpcInvocationData) -> str:
    return "done"
