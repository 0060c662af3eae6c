"""`/test/…`: the embedded server's means for tests, as tests in other languages reach them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from livekit import api, rtc

from devserver import RoomServer
from tests.devserver.room_events import WITHIN, RoomEvents

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ROOM = "room"


def signed(server: RoomServer, grants: api.VideoGrants, identity: str = "") -> str:
    access_token = api.AccessToken(server.api_key, server.api_secret).with_grants(grants)
    return (access_token.with_identity(identity) if identity else access_token).to_jwt()


def token(server: RoomServer, identity: str) -> str:
    return signed(server, api.VideoGrants(room_join=True, room=ROOM), identity)


class Caller:
    """Calls `/test/…` as a test in another language does."""

    def __init__(self, server: RoomServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self._http = http

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        bearer: str | None = None,
        **options: Any,  # noqa: ANN401  # aiohttp's
    ) -> Any:  # noqa: ANN401  # whatever JSON holds
        bearer = (
            signed(self.server, api.VideoGrants(room_create=True)) if bearer is None else bearer
        )
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = f"{self.server.http_url}/test/{path}"
        async with self._http.request(method, url, headers=headers, **options) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return await answer.json() if answer.content_type == "application/json" else text

    async def restarted(self, times: int) -> None:
        """Returns when the server has been restarted so often."""
        async with asyncio.timeout(WITHIN):
            while True:
                try:
                    if (await self("GET", "restarts"))["restarts"] == times:
                        return
                except aiohttp.ClientConnectionError:
                    # Nothing tells a client when the server listens again: ask again.
                    await asyncio.sleep(0.02)


@pytest.fixture
async def call(http: aiohttp.ClientSession) -> AsyncGenerator[Caller]:
    async with RoomServer(timing="instant", test_api=True) as server:
        yield Caller(server, http)


@pytest.fixture
async def pair(call: Caller) -> AsyncGenerator[tuple[rtc.Room, rtc.Room]]:
    first, second = rtc.Room(), rtc.Room()
    await first.connect(call.server.url, token(call.server, "first"))
    await second.connect(call.server.url, token(call.server, "second"))
    yield first, second
    await asyncio.gather(first.disconnect(), second.disconnect())


async def test_faults_are_read_and_changed(call: Caller) -> None:
    none = {"signalDelay": 0.0, "dataDelay": 0.0, "dataLoss": 0.0, "mediaLoss": 0.0}
    assert await call("GET", "faults") == none
    changes = {"dataLoss": 1, "signalDelay": 0.25}
    assert await call("PATCH", "faults", json=changes) == none | changes
    assert await call("PATCH", "faults", json={"dataLoss": 0.5}) == none | {
        "dataLoss": 0.5,
        "signalDelay": 0.25,
    }
    faults = call.server.faults
    assert (faults.data_loss, faults.signal_delay, faults.media_loss) == (0.5, 0.25, 0.0)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"dataLoss": 1.5}', "dataLoss is not between 0 and 1"),
        (b'{"dataLoss": NaN}', "dataLoss is not between 0 and 1"),
        (b'{"signalDelay": 61}', "signalDelay is not between 0 and 60"),
        (b'{"mediaLoss": true}', "mediaLoss is no number"),
        (b'{"mediaLoss": "1"}', "mediaLoss is no number"),
        (b'{"dataLoss": 1, "loss": 1}', "unknown field loss"),
        (b"[]", "the body is no JSON object"),
        (b"\xff", "the body is no JSON object"),
    ],
)
async def test_faults_that_cannot_be_are_refused_whole(
    call: Caller, body: bytes, complaint: str
) -> None:
    assert await call("PATCH", "faults", data=body, status=400) == complaint
    assert call.server.faults.data_loss == 0.0


async def test_packets_are_waited_for_and_filtered(
    call: Caller, pair: tuple[rtc.Room, rtc.Room]
) -> None:
    sender = pair[0].local_participant
    waiting = asyncio.create_task(call("GET", "packets?topic=news&count=2&wait=20"))
    await sender.publish_data(b"old", topic="chat", destination_identities=["second"])
    await sender.publish_data(b"one", topic="news")
    await sender.publish_data(b"two", topic="news")
    told = await waiting
    assert told["total"] == 2
    assert [packet["receiver"] for packet in told["packets"]] == ["second", "second"]
    assert told["packets"][0]["packet"]["user"]["payload"] == "b25l"

    [chat] = (await call("GET", "packets?sender=first&topic=chat&reliable=true"))["packets"]
    del chat["packet"]
    size = chat.pop("size")
    assert size > 0
    assert chat == {
        "room": ROOM,
        "sender": "first",
        "receiver": "second",
        "reliable": True,
        "kind": "user",
        "topic": "chat",
        "destinations": ["second"],
    }
    last = await call("GET", "packets?kind=user&limit=1")
    assert (last["total"], len(last["packets"])) == (3, 1)
    assert last["packets"][0]["packet"]["user"]["payload"] == "dHdv"
    assert await call("GET", "packets?topic=news&reliable=false") == {"total": 0, "packets": []}
    await call("DELETE", "packets", status=204)
    assert (await call("GET", "packets"))["total"] == 0


async def test_a_wait_in_vain_ends(call: Caller) -> None:
    assert await call("GET", "packets?wait=0.1&count=1") == {"total": 0, "packets": []}


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("who=me", "unknown parameter who"),
        ("reliable=yes", "reliable is neither true nor false"),
        ("wait=61", "wait is no number between 0 and 60"),
        ("wait=nan", "wait is no number between 0 and 60"),
        ("count=x", "count is no number between 0 and 10000"),
        ("limit=-1", "limit is no number between 0 and 10000"),
    ],
)
async def test_questions_that_cannot_be_are_refused(
    call: Caller, query: str, complaint: str
) -> None:
    assert await call("GET", f"packets?{query}", status=400) == complaint


async def test_a_cut_client_comes_back(call: Caller, pair: tuple[rtc.Room, rtc.Room]) -> None:
    own = RoomEvents(pair[0], "reconnecting", "reconnected")
    await call("POST", "cut", json={"room": ROOM, "identity": "first"}, status=204)
    await own.next("reconnecting")
    await own.next("reconnected")
    for nobody in ({"room": ROOM, "identity": "third"}, {"room": "other", "identity": "first"}, {}):
        assert await call("POST", "cut", json=nobody, status=404) == "participant does not exist"


async def test_it_is_restarted_unannounced_and_clients_come_back(
    call: Caller, pair: tuple[rtc.Room, rtc.Room]
) -> None:
    events = [RoomEvents(room, "reconnected") for room in pair]
    begun = await call("POST", "restarts", json={"announced": False}, status=202)
    assert begun == {"restarts": 1}
    await call.restarted(1)
    for room_events in events:
        await room_events.next("reconnected")


async def test_an_announced_restart_sends_clients_away_and_may_be_repeated(
    call: Caller, pair: tuple[rtc.Room, rtc.Room]
) -> None:
    events = RoomEvents(pair[0], "disconnected")
    assert await call("POST", "restarts", status=202) == {"restarts": 1}
    assert await events.next("disconnected") == (rtc.DisconnectReason.SERVER_SHUTDOWN,)
    await call.restarted(1)
    assert await call("POST", "restarts", status=202) == {"restarts": 2}
    await call.restarted(2)
    assert await call("POST", "restarts", json={"announced": 0}, status=400) == (
        "announced is neither true nor false"
    )


async def test_a_server_that_is_stopped_during_a_restart_stays_stopped(
    call: Caller, pair: tuple[rtc.Room, rtc.Room]
) -> None:
    server = call.server
    await call("POST", "restarts", status=202)
    await server.stop()
    assert not len(server.tasks)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(server.host, server.port)


async def test_a_reset_leaves_nothing_for_the_next_test(
    call: Caller, pair: tuple[rtc.Room, rtc.Room]
) -> None:
    events = RoomEvents(pair[0], "disconnected")
    await pair[0].local_participant.publish_data(b"hello")
    assert (await call("GET", "packets?wait=20"))["total"] == 1
    await call("PATCH", "faults", json={"mediaLoss": 1})
    await call("POST", "reset", status=204)
    assert await events.next("disconnected") == (rtc.DisconnectReason.ROOM_DELETED,)
    assert not call.server.rooms
    assert not len(call.server.packets)
    assert call.server.faults.media_loss == 0.0


ENTRANCES = [
    *(("GET", "faults"), ("PATCH", "faults"), ("GET", "packets"), ("DELETE", "packets")),
    *(("POST", "cut"), ("POST", "reset"), ("GET", "restarts"), ("POST", "restarts")),
]


@pytest.mark.parametrize(("method", "path"), ENTRANCES)
async def test_only_holders_of_the_secret_may(call: Caller, method: str, path: str) -> None:
    for bearer in (
        "",
        signed(call.server, api.VideoGrants(room_list=True)),
        token(call.server, "first"),
    ):
        assert await call(method, path, bearer=bearer, status=401) == "permissions denied"
    assert call.server.restarts == 0


@pytest.mark.parametrize(("method", "path"), ENTRANCES)
async def test_it_is_off_unless_asked_for(
    http: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with RoomServer() as server:
        await Caller(server, http)(method, path, status=404)
