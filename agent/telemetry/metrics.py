"""Every metric of the worker. docs/metrics.md describes them for those who read them.

Labels have few values: methods, tools, models, statuses; never a room, an identity, or an id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.telemetry.metric import Counter, Gauge, Histogram, Metric

if TYPE_CHECKING:
    from agent.telemetry.metric_store import MetricStore

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_CALLS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ANSWERS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)

ROOMS: Final = Gauge("rooms", "Rooms, by state: held, joining", ("state",))
ROOMS_MAX: Final = Gauge("rooms_max", "Rooms that can be held (AGENT_MAX_ROOMS)")
CONNECTED: Final = Gauge("connected", "Processes that the LiveKit server has registered")
DRAINING: Final = Gauge("draining", "Draining processes: they take no more rooms and end")
JOBS_REFUSED: Final = Counter(
    "jobs_refused_total",
    "Jobs refused, by reason: full, joining, taken",
    ("reason",),
    known=("full", "joining", "taken"),
)
JOIN_SECONDS: Final = Histogram(
    "join_seconds", "Time from an accepted job to its joined room", bounds=_CALLS
)
TAKEOVERS: Final = Counter(
    "takeovers_total",
    "Agents dispatched to rooms with people and no agent, by how the previous one went: "
    "died, left, missing",
    ("reason",),
    known=("died", "left", "missing"),
)
ROOMS_FAILED: Final = Counter("rooms_failed_total", "Stays that ended with an error")

MESSAGES: Final = Counter("messages_total", "Messages received, by form", ("form",))
PACKETS_IGNORED: Final = Counter(
    "packets_ignored_total", "Packets on topics that the agent does not have: the app's own"
)
REFUSALS: Final = Counter(
    "refusals_total", "Refused messages and packets, by code of the notice", ("code",)
)
LIMIT_REFUSALS: Final = Counter(
    "limit_refusals_total",
    "Refusals by limits, by kind and scope of the limit: participant, room, tenant",
    ("kind", "scope"),
)
QUESTIONS: Final = Gauge("questions_waiting", "Questions that wait for their turn")
ANSWERS: Final = Counter(
    "answers_total",
    "Answers that ended, by finish reason",
    ("finish_reason",),
    known=("stop", "error"),
)
FIRST_TOKEN: Final = Histogram(
    "first_token_seconds",
    "Time from the beginning of an answer to its first text",
    bounds=_ANSWERS,
)
ANSWER_SECONDS: Final = Histogram(
    "answer_seconds", "Time from the beginning of an answer to its end", bounds=_ANSWERS
)
TOKENS: Final = Counter(
    "tokens_total",
    "Tokens by model and kind: input (cached included), cached, output (reasoning included), "
    "reasoning",
    ("model", "kind"),
    most=80,
)
MODEL_SECONDS: Final = Histogram(
    "model_request_seconds",
    "Time of a request to the model service, to its last chunk",
    ("model",),
    bounds=_ANSWERS,
    most=20,
)
MODEL_ERRORS: Final = Counter(
    "model_errors_total",
    "Failed requests to the model service, by HTTP status, or timeout, connection",
    ("status",),
)
MODEL_RETRIES: Final = Counter("model_retries_total", "Retried requests")
MODEL_FAILING: Final = Gauge(
    "model_failing", "Processes whose last request to the model service failed"
)

TOOL_SECONDS: Final = Histogram(
    "tool_seconds",
    "Time of a tool call, by tool and outcome: ok, an error code, cancelled",
    ("tool", "by", "code"),
    bounds=_CALLS,
    most=200,
)
RPC_SECONDS: Final = Histogram(
    "rpc_seconds",
    "Time of an RPC call to the agent, by method and outcome: ok, an error code",
    ("method", "code"),
    bounds=_CALLS,
    most=200,
)

HISTORY_SECONDS: Final = Histogram(
    "history_seconds", "Time of a batch of writes to the database", bounds=_FAST
)
HISTORY_BACKLOG: Final = Gauge("history_backlog", "Writes that wait for the database")
HISTORY_LOST: Final = Counter("history_lost_total", "Writes that the database never took")
DATABASE_FAILING: Final = Gauge("database_failing", "Processes that cannot use their database")

_DIRECTIONS: Final = ("received", "sent")
FILES: Final = Counter(
    "files_total", "Files, by direction: received, sent", ("direction",), known=_DIRECTIONS
)
FILE_BYTES: Final = Counter(
    "file_bytes_total",
    "Bytes of files, by direction: received, sent",
    ("direction",),
    known=_DIRECTIONS,
)
STORED_BYTES: Final = Gauge(
    "stored_bytes", "Bytes in ATTACHMENTS_DIR, of all processes together", joined="max"
)
STORED_BYTES_MAX: Final = Gauge(
    "stored_bytes_max", "Bytes that ATTACHMENTS_DIR may take (MAX_STORED_BYTES)", joined="max"
)
DISK_FREE: Final = Gauge(
    "disk_free_bytes",
    "Free bytes on the disk of ATTACHMENTS_DIR when the last file was stored",
    joined="max",
)

WEBHOOKS: Final = Counter(
    "webhooks_total",
    "Attempts to deliver an event, by outcome: delivered, failed, refused; lost: given up",
    ("outcome",),
    known=("delivered", "failed", "refused", "lost"),
)
WEBHOOKS_FAILING: Final = Gauge(
    "webhooks_failing",
    "Receivers of webhooks that do not answer, or with an error",
    joined="max",
    known=True,
)

LOOP_LAG: Final = Histogram(
    "loop_lag_seconds",
    "Delay of an event loop's timers, sampled once a second",
    ("loop",),
    bounds=_FAST,
    most=2,
)

PROCESS_UP: Final = Gauge(
    "process_up", "Whether a worker process runs, by its number", ("process",), most=256
)
PROCESS_MEMORY: Final = Gauge(
    "process_memory_bytes",
    "Memory of a worker process: its own and its share of what it shares",
    ("process",),
    most=256,
)
PROCESS_ROOMS: Final = Gauge(
    "process_rooms", "Rooms that a worker process holds or joins", ("process",), most=256
)
RESTARTS: Final = Counter(
    "restarts_total",
    "Worker processes that were replaced, by reason: exit, stuck, memory",
    ("reason",),
    known=("exit", "stuck", "memory"),
)

METRICS: Final[dict[str, Metric]] = {
    each.name: each for each in tuple(globals().values()) if isinstance(each, Metric)
}
"""All of them, by name."""

OF_SUPERVISORS: Final = frozenset(
    each.name for each in (PROCESS_UP, PROCESS_MEMORY, PROCESS_ROOMS, RESTARTS)
)
"""The metrics that a supervisor counts, or the page of a worker without one."""


def use(store: MetricStore) -> None:
    """Counts everything in this store from now on."""
    for each in METRICS.values():
        each.use(store)


def store() -> MetricStore:
    """The store that all metrics write to."""
    return ROOMS.store
