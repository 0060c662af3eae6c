"""The embedded room server: bytes on data channels, and datagrams to the ports for media."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models

from tests.devserver.raw_peer import LABELS, RawPeer
from tests.fuzz.cases import cases
from tests.fuzz.inputs import anything, damaged, protobuf, texts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.fuzz.neighbour import Neighbour

_packets = protobuf(models.DataPacket).map(lambda packet: packet.SerializeToString())
_frames = st.binary(min_size=1, max_size=60).map(lambda frame: b"\x00\x00" + frame)
_messages = st.one_of(anything, _packets, damaged(_packets), _frames, texts)

_begins = st.sampled_from(
    [
        b"\x00\x01\x00\x00\x21\x12\xa4\x42",  # a STUN binding request
        b"\x01\x01\x00\x0c\x21\x12\xa4\x42",  # and an answer
        b"\x16\xfe\xfd\x00\x00\x00\x00\x00\x00",  # a DTLS handshake
        b"\x17\xfe\xfd\x00\x01\x00\x00\x00\x00",  # DTLS, application data
        b"\x80\x60\x00\x01",  # RTP
        b"\x81\xc8\x00\x0c",  # RTCP: a sender report
        b"\x8f\xce\x00\x03",  # RTCP: feedback
        b"",
    ]
)
_datagrams = st.tuples(_begins, st.binary(max_size=120)).map(b"".join)


@pytest.fixture
async def mallory(neighbour: Neighbour, room_name: str) -> AsyncGenerator[RawPeer]:
    """A participant with open data channels, and with somebody in the room who receives."""
    server = neighbour.server
    victim = RawPeer(server, server.token("victim", room_name))
    async with victim, RawPeer(server, server.token("mallory", room_name)) as peer:
        yield peer
        await _arrived(peer, victim)


async def _arrived(sender: RawPeer, receiver: RawPeer) -> None:
    """The room goes on: reliable data comes after all that was sent before."""
    await receiver.received_on("_reliable", lambda: sender.channels["_reliable"].send(_LAST), _LAST)


_LAST = models.DataPacket(user=models.UserPacket(payload=b"the last one")).SerializeToString()


@given(st.lists(st.tuples(st.sampled_from(LABELS), _messages), min_size=1, max_size=6))
@cases("data channels")
async def test_data_channels(
    neighbour: Neighbour, mallory: RawPeer, messages: list[tuple[str, bytes | str]]
) -> None:
    for label, message in messages:
        whole = message.encode(errors="replace").decode() if isinstance(message, str) else message
        mallory.channels[label].send(whole)
    await neighbour.is_well()


@given(st.lists(_datagrams, min_size=1, max_size=6))
@cases("media ports")
async def test_media_ports(neighbour: Neighbour, mallory: RawPeer, datagrams: list[bytes]) -> None:
    host, port = next(each for each in mallory.candidates if ":" not in each[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, (host, port))
    await neighbour.is_well()
