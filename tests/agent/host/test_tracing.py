"""Traces of answers, and what they cost where nobody asks for them: nothing."""

from __future__ import annotations

import logging
import socket
from collections.abc import Generator, Mapping, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agent.history.conversation_name import of_session
from agent.host import tracing
from agent.telemetry import spans
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import Enter, StartWorker

OFF: list[dict[str, str]] = [
    {},
    {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
    {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
]
ON: list[dict[str, str]] = [
    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"},
    {"OTEL_TRACES_EXPORTER": "otlp"},
]


class Kept(SpanExporter):
    """Keeps what is exported."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Generator[Kept]:
    kept = Kept()
    start = tracing.start

    def keeping(environ: Mapping[str, str], *, content: bool) -> tracing.Tracer | None:
        return start(environ, content=content, exporter=kept)

    monkeypatch.setattr(tracing, "start", keeping)
    yield kept
    spans.turn_on(None)


@pytest.mark.parametrize("environ", OFF)
def test_it_is_off_unless_it_is_asked_for(environ: dict[str, str]) -> None:
    assert tracing.start(environ, content=False) is None
    assert spans.span("one") is spans.span("other", some="attribute")


@pytest.mark.parametrize("environ", ON)
def test_the_usual_variables_turn_it_on(environ: dict[str, str]) -> None:
    assert tracing.is_on(environ)


async def test_an_answer_is_a_trace_with_its_model_and_tool_calls(
    start_worker: StartWorker, enter: Enter, model: DemoModel, kept: Kept, room_name: str
) -> None:
    worker = await start_worker(LLM_MODEL="some-model", LLM_RETRIES="1")
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("getCurrentTime")]), Reply("It is noon xyzzy."))
    await alice.ask("What time is it, xyzzy?")
    model.script(Reply(status=400), Reply(status=400))
    await alice.ask("And now?")
    conversation = of_session(room_name, await alice.room.sid)
    await worker.server.aclose()

    named = {
        name: [each for each in kept.spans if each.name == name]
        for name in (
            "invoke_agent",
            "chat some-model",
            "execute_tool getCurrentTime",
            "history write",
        )
    }
    answered, failed = named["invoke_agent"]
    first, second, refused = named["chat some-model"]
    (tool,) = named["execute_tool getCurrentTime"]
    for each in (first, second, tool):
        assert each.parent is not None
        assert answered.context is not None
        assert each.parent.span_id == answered.context.span_id
    assert dict(answered.attributes or {})["gen_ai.conversation.id"] == f"{conversation}/room"
    usage = dict(second.attributes or {})
    assert usage["gen_ai.usage.output_tokens"]
    assert usage["gen_ai.response.finish_reasons"] == ("stop",)
    assert dict(refused.attributes or {})["error.type"] == "400"
    assert failed.context is not None
    assert refused.parent is not None
    assert refused.parent.span_id == failed.context.span_id
    assert dict(named["history write"][0].attributes or {})["db.system.name"] == "sqlite"
    assert "xyzzy" not in str([each.to_json() for each in kept.spans])


def test_a_missing_endpoint_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            patch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
            tracer = tracing.start(environ, content=False)
    assert tracer is not None
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            with spans.span("one"):
                pass
            tracer.flush()
        tracer.close()
    told = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [each.getMessage() for each in told] == [
        "traces cannot be exported; spans are dropped meanwhile"
    ]
