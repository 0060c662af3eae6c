"""Usage that adds up, and events that outlive everything, in both databases."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agent.accounts.accounts import Accounts
from agent.accounts.event import MAX_BODY_BYTES, body_of, now
from agent.accounts.room_accounts import RoomAccounts
from agent.accounts.webhooks import BATCH, KEPT, Webhooks
from agent.chat.answer_record import AnswerRecord
from agent.config.webhook_settings import EVENT_TYPES, key_of
from agent.history.accounts import OutgoingEvent, UsageCounts
from agent.history.errors import UnavailableError
from agent.history.history import History
from agent.models.usage import Usage
from agent.telemetry import metrics
from agent.telemetry.metric_totals import MetricTotals
from tests.agent.accounts.receiver import KEY, SECRET, Receiver


def counts(tokens: int) -> UsageCounts:
    return UsageCounts(answers=1, requests=1, input_tokens=tokens, output_tokens=tokens)


def direct(_: str) -> None:
    """No proxy."""


def answer_to(identity: str, thread: str = "room") -> AnswerRecord:
    return AnswerRecord(
        thread=thread,
        segment_id="SG_1",
        message_id="m1",
        asker=identity,
        finish_reason="stop",
        model="m",
        first_text=0.1,
        seconds=0.2,
        tools=(),
        usage=Usage(1, 5, 0, 5, 0),
    )


def deliverer(history: History, *urls: str) -> Webhooks:
    webhooks = Webhooks(history.accounts, urls, key=KEY, proxy_for=direct, first_pause=0.05)
    webhooks.start()
    return webhooks


def event(number: int, url: str) -> OutgoingEvent:
    body = body_of(f"EV_{number}", "answer.finished", now(), {"text": f"text {number}"})
    return OutgoingEvent(f"EV_{number}", url, now(), body)


async def waiting(history: History, url: str) -> list[str]:
    """Ids of the events that are kept for a receiver."""
    far = now() + 10 * KEPT
    claimed = await history.accounts.claim_events(url, now=far, until=0, limit=1000)
    return [each.event.id for each in claimed]


def failing() -> int:
    """Receivers that fail, as the metrics have it."""
    totals = MetricTotals()
    totals.add(metrics.store())
    name = metrics.WEBHOOKS_FAILING.name
    return next(int(numbers[0]) for metric, _, numbers in totals.state() if metric == name)


async def test_usage_adds_up_by_day_tenant_room_identity_and_model(history: History) -> None:
    accounts = Accounts(history.accounts)
    for tokens in (10, 20):
        accounts.count(tenant="acme", room="r", identity="ada", model="m", counts=counts(tokens))
    accounts.count(tenant="", room="r", identity="bob\0", model="m", counts=counts(1))
    await accounts.aclose()
    again = Accounts(history.accounts)
    again.count(tenant="acme", room="r", identity="ada", model="m", counts=counts(12))
    await again.aclose()

    found = await history.accounts.usage(since="2020-01-01", until="9999-12-31")

    assert [(key.tenant, key.identity, each.input_tokens, each.answers) for key, each in found] == [
        ("", "bob\0", 1, 1),
        ("acme", "ada", 42, 3),
    ]
    (rest,) = await history.accounts.usage(
        since="2020-01-01", until="9999-12-31", after=found[0][0]
    )
    assert rest == found[1]
    assert await history.accounts.usage(since="2020-01-01", until="2020-12-31") == []


async def test_speech_and_summaries_count_beside_the_answers(history: History) -> None:
    accounts = Accounts(history.accounts)
    room = RoomAccounts(accounts, history, "r", kept_as="r", agent="agent", tenant="acme")
    room.heard("ada", "ears", 1.25)
    room.heard("ada", "ears", 0.75)
    room.spoken("mouth", 2.5)
    room.answer(answer_to("ada", thread="private:bob"))
    room.answer(answer_to("ada"))
    room.spoken("mouth", 0.5)
    room.asked("", "m", 10, 2)
    await room.aclose()
    await accounts.aclose()

    found = await history.accounts.usage(since="2020-01-01", until="9999-12-31")

    assert {
        (key.tenant, key.identity, key.model, each.heard_ms, each.spoken_ms, each.input_tokens)
        for key, each in found
        if each.answers == 0
    } == {
        ("acme", "", "mouth", 0, 500, 0),  # Nobody had asked.
        ("acme", "", "m", 0, 0, 10),
        ("acme", "ada", "ears", 2_000, 0, 0),
        ("acme", "ada", "mouth", 0, 2_500, 0),
    }


async def test_a_receiver_gets_every_event_once_in_order(
    history: History, receiver: Receiver
) -> None:
    webhooks = deliverer(history, receiver.url)
    accounts = Accounts(
        history.accounts, urls=[receiver.url], types=EVENT_TYPES, on_stored=webhooks.wake
    )
    for number in range(3 * BATCH):
        accounts.tell("answer.finished", {"number": number})
    await receiver.until(events=3 * BATCH)
    await accounts.aclose()
    await webhooks.aclose()

    assert [each["data"]["number"] for each in receiver.events] == list(range(3 * BATCH))
    assert len(set(receiver.ids)) == 3 * BATCH
    assert await waiting(history, receiver.url) == []


async def test_a_receiver_that_was_down_gets_everything(
    history: History, receiver: Receiver
) -> None:
    """Also of what another process left, and with one attempt at a time meanwhile."""
    await history.accounts.put_events([event(number, receiver.url) for number in range(50)])
    receiver.status = 503
    webhooks = deliverer(history, receiver.url)
    await receiver.until(attempts=4)
    assert receiver.attempts < 10
    assert failing() == 1
    receiver.status = 200
    await receiver.until(events=50)
    await webhooks.aclose()
    assert failing() == 0
    assert receiver.ids == [f"EV_{number}" for number in range(50)]


async def test_an_event_that_is_refused_does_not_hold_up_the_others(
    history: History, receiver: Receiver
) -> None:
    receiver.refused = {"text 1"}
    await history.accounts.put_events([event(number, receiver.url) for number in range(4)])
    webhooks = deliverer(history, receiver.url)
    await receiver.until(events=3)
    await webhooks.aclose()
    assert receiver.ids == ["EV_0", "EV_2", "EV_3"]
    assert await waiting(history, receiver.url) == ["EV_1"]


async def test_receivers_do_not_wait_for_each_other(history: History, receiver: Receiver) -> None:
    down = str(receiver.server.make_url("/nothing-here"))
    await history.accounts.put_events([event(1, url) for url in (down, receiver.url)])
    webhooks = deliverer(history, down, receiver.url)
    await receiver.until(events=1)
    await webhooks.aclose()
    assert await waiting(history, down) == ["EV_1"]


async def test_a_claimed_event_is_nobody_elses_until_the_lease_ends(history: History) -> None:
    store, url = history.accounts, "http://receiver.test"
    await store.put_events([event(number, url) for number in range(3)] * 2)
    moment = now()
    first = await store.claim_events(url, now=moment, until=moment + 1000, limit=2)
    second = await store.claim_events(url, now=moment, until=moment + 1000, limit=2)
    later = await store.claim_events(url, now=moment + 1000, until=moment + 2000, limit=9)
    assert [[each.event.id for each in some] for some in (first, second, later)] == [
        ["EV_0", "EV_1"],
        ["EV_2"],
        ["EV_0", "EV_1", "EV_2"],
    ]
    assert [each.attempts for each in later] == [2, 2, 2]


async def test_a_clock_that_was_set_back_holds_no_event_up(history: History) -> None:
    store, url = history.accounts, "http://receiver.test"
    hours = 3 * 3_600_000
    await store.put_events([event(number, url) for number in range(2)])
    before = now() + hours
    claimed = await store.claim_events(url, now=before, until=before + 60_000, limit=1)
    assert [each.event.id for each in claimed] == ["EV_0"]
    # It died; the other one was never claimed.
    after = await store.claim_events(url, now=now(), until=now() + 60_000, limit=9)
    assert [each.event.id for each in after] == ["EV_0", "EV_1"]
    assert await store.claim_events(url, now=now(), until=now() + 60_000, limit=9) == []


async def test_old_and_excess_events_are_dropped(history: History) -> None:
    store, url = history.accounts, "http://receiver.test"
    old = OutgoingEvent("EV_old", url, now() - KEPT - 1, "{}")
    await store.put_events([old, *(event(number, url) for number in range(5))])
    assert await store.trim_events(created_before=now() - KEPT, most=3) == 3
    assert await waiting(history, url) == ["EV_2", "EV_3", "EV_4"]


async def test_failed_writes_are_stored_once_the_database_is_back(history: History) -> None:
    class Away:
        """A store that is unavailable for its first two uses."""

        def __init__(self) -> None:
            self.left = 2

        async def add_usage(self, entries: Any) -> None:  # noqa: ANN401 - the store's own
            if self.left:
                self.left -= 1
                raise UnavailableError("away")
            await history.accounts.add_usage(entries)

        async def put_events(self, events: Any) -> None:  # noqa: ANN401 - the store's own
            await history.accounts.put_events(events)

    url = "http://receiver.test"
    accounts = Accounts(Away(), urls=[url], types=EVENT_TYPES)  # pyright: ignore[reportArgumentType]
    accounts.count(tenant="", room="r", identity="ada", model="m", counts=counts(5))
    accounts.tell("feedback.given", {"value": "up"})
    async with asyncio.timeout(20):
        while not await waiting(history, url):
            pass
    await accounts.aclose()
    assert len(await history.accounts.usage(since="2020-01-01", until="9999-12-31")) == 1


async def test_a_process_that_ends_during_a_pause_stores_in_a_database_that_is_back(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_paused = asyncio.Event()

    class Away:
        """A store that is unavailable for its first two uses."""

        left = 2

        async def add_usage(self, entries: Any) -> None:  # noqa: ANN401 - the store's own
            if self.left:
                self.left -= 1
                if not self.left:
                    has_paused.set()
                raise UnavailableError("away")
            await history.accounts.add_usage(entries)

    monkeypatch.setattr("agent.accounts.accounts.EVERY", 0.0)
    # Shorter than the second pause.
    monkeypatch.setattr("agent.accounts.accounts.CLOSE_TIMEOUT", 0.9)
    accounts = Accounts(Away())  # pyright: ignore[reportArgumentType]
    accounts.count(tenant="", room="r", identity="ada", model="m", counts=counts(5))
    await has_paused.wait()
    await accounts.aclose()
    assert len(await history.accounts.usage(since="2020-01-01", until="9999-12-31")) == 1


async def test_conversations_that_end_wait_for_a_slow_database_together(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        """A history that never answers."""

        async def page(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - the history's own
            await asyncio.Event().wait()

    monkeypatch.setattr("agent.accounts.room_accounts.READING_TAKES", 0.2)
    url = "http://receiver.test"
    accounts = Accounts(history.accounts, urls=[url], types=("conversation.ended",))
    room = RoomAccounts(accounts, Slow(), "r", kept_as="r", agent="agent", tenant="")  # pyright: ignore[reportArgumentType]
    for number in range(20):
        room.answer(answer_to("ada", thread=f"private:{number}"))
    async with asyncio.timeout(2):
        await room.aclose()
    await accounts.aclose()
    assert len(await waiting(history, url)) == 20


async def test_the_longest_idle_conversation_is_reported_early(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.accounts.room_accounts.MAX_STAYS", 3)
    url = "http://receiver.test"
    accounts = Accounts(history.accounts, urls=[url], types=("conversation.ended",))
    room = RoomAccounts(accounts, history, "r", kept_as="r", agent="agent", tenant="")
    for thread in ("room", "private:ada", "private:bob", "private:ada", "private:eve"):
        room.answer(answer_to("ada", thread=thread))
    await accounts.aclose()
    far = now() + 10 * KEPT
    [ended] = await history.accounts.claim_events(url, now=far, until=0, limit=9)
    report = json.loads(ended.event.body)["data"]
    assert (report["thread"], report["transcript"]) == ("private:bob", None)
    assert report["answers"] == {"stop": 1}


def test_a_transcript_is_cut_to_the_size_of_an_event() -> None:
    messages = [{"id": str(number), "text": "x" * 10_000} for number in range(300)]
    body = body_of("EV_1", "conversation.ended", 0, {"transcript": messages})
    read = json.loads(body)["data"]
    assert len(body.encode()) <= MAX_BODY_BYTES
    assert read["transcriptIsWhole"] is False
    assert read["transcript"][-1]["id"] == "299"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_dG9vIHNob3J0", "whsec_not base64 at all!"])
def test_weak_secrets_are_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and base64 of at least 24 bytes"):
        key_of(secret)
    assert key_of(SECRET) == KEY
