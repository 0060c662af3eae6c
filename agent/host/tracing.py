"""Traces by OpenTelemetry, where its own environment variables say where they go.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. livekit-agents
imports OpenTelemetry anyway; here an exporter and its thread are made only where traces are on.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from agent.telemetry import log_fields, spans

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from agent.telemetry.spans import Span, Value

logger = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTERS: Final = "opentelemetry"
"""The logger of exporters."""

SAID_AGAIN: Final = 600.0
"""Seconds after which it is logged again that spans cannot be exported."""

FLUSHING_TAKES: Final = 3_000
"""Ms to export the rest when the worker ends."""


def is_on(environ: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "")
    return exporter != "none" and (exporter == "otlp" or any(map(environ.get, _ENDPOINTS)))


def start(
    environ: Mapping[str, str], *, content: bool, exporter: SpanExporter | None = None
) -> Tracer | None:
    """Starts tracing if the environment configures it; call it in the process to trace.

    Args:
        content: keep messages and answers in the spans of livekit-agents.
        exporter: replaces the one that the variables select.
    """
    if exporter is None and not is_on(environ):
        return None
    from livekit.agents.telemetry import set_tracer_provider  # noqa: PLC0415 - only where it is on
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    named = "OTEL_SERVICE_NAME" in environ or SERVICE_NAME in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {SERVICE_NAME: "room-agent"})
    provider = TracerProvider(resource=resource)
    # Bounded: OTEL_BSP_MAX_QUEUE_SIZE spans wait, and further ones are dropped.
    provider.add_span_processor(BatchSpanProcessor(exporter or _exporter(environ)))
    for name in (f"{_EXPORTERS}.exporter", f"{_EXPORTERS}.sdk", _EXPORTERS):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    set_tracer_provider(provider, allow_pii=content)
    tracer = Tracer(provider)
    spans.turn_on(tracer)
    log_fields.trace_ids = tracer.ids
    return tracer


def _exporter(environ: Mapping[str, str]) -> SpanExporter:
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", ""
    )
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415 - 19 MB
            OTLPSpanExporter as GrpcExporter,
        )

        return _watched(GrpcExporter())
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - as above
        OTLPSpanExporter,
    )

    return _watched(OTLPSpanExporter())


class Tracer:
    """Opens spans by OpenTelemetry; see agent.telemetry.spans.Tracing."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - only where it is on

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("agent")

    @contextmanager
    def span(self, name: str, **attributes: Value | None) -> Generator[Span]:
        with self._tracer.start_as_current_span(
            name, attributes=_named(attributes), record_exception=False
        ) as opened:
            yield _Open(opened)

    def begin(self, name: str, **attributes: Value | None) -> Span:
        return _Open(self._tracer.start_span(name, attributes=_named(attributes)))

    def ids(self) -> Mapping[str, str]:
        """Log fields of the current span."""
        found = self._trace.get_current_span().get_span_context()
        if not found.is_valid:
            return {}
        return {"trace_id": f"{found.trace_id:032x}", "span_id": f"{found.span_id:016x}"}

    def flush(self) -> None:
        """Exports waiting spans; blocks for a while."""
        self._provider.force_flush(FLUSHING_TAKES)

    def close(self) -> None:
        """Exports the rest; blocks for a while."""
        spans.turn_on(None)
        log_fields.trace_ids = None
        self.flush()
        self._provider.shutdown()


class _Open:
    def __init__(self, opened: trace.Span) -> None:
        self._span = opened

    def set(self, **attributes: Value | None) -> None:
        self._span.set_attributes(_named(attributes))

    def fail(self, kind: str) -> None:
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - only where it is on

        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()


def _named(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {
        name.replace("__", "."): value for name, value in attributes.items() if value is not None
    }


def _watched(exporter: SpanExporter) -> SpanExporter:
    """Logs that spans cannot be exported once, and then now and again; exporters would log it each
    time."""
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - as above

    export = exporter.export
    said_at: float | None = None

    def watched(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        nonlocal said_at
        result = export(spans)
        if result is SpanExportResult.SUCCESS:
            said_at = None
        elif said_at is None or time.monotonic() - said_at > SAID_AGAIN:
            said_at = time.monotonic()
            logger.warning("traces cannot be exported; spans are dropped meanwhile")
        return result

    exporter.export = watched
    return exporter
