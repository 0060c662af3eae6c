"""A viewer's feedback on RTP packets, and the scores of tracks, without a network."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RtcpPsfbPacket,
    pack_remb_fci,
)

from devserver.media import aiortc_private
from devserver.media import track as track_module
from devserver.media.bandwidth import Bandwidth
from devserver.media.codecs import OPUS
from devserver.media.loss_score import BEST
from tests.devserver.rtp_wire import HIGH, KEY, VP8, Wire, arrives, audio, published


class TestEstimates:
    async def test_a_viewers_bandwidth_estimates_are_used(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[int] = []

        def note(self: Bandwidth, bits_per_second: int) -> None:
            del self
            told.append(bits_per_second)

        monkeypatch.setattr(Bandwidth, "estimated", note)
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        own = sender._ssrc  # pyright: ignore[reportPrivateUsage]  which descriptions announce
        estimates = (
            pack_remb_fci(300_000, [own, own + 1]),
            pack_remb_fci(400_000, [own - 1, own]),  # after that of its retransmissions
            pack_remb_fci(500_000, [own + 1]),
            pack_remb_fci(600_000, []),
            b"REMB\xff\x00\x00\x01",  # without the streams that it counts
            b"nonsense",
        )
        router = aiortc_private.MidRouter()
        router.register_sender(sender, own)
        for fci in estimates:
            packet = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=own, fci=fci)
            router.route_rtcp(packet)
            await sender._handle_rtcp_packet(packet)  # pyright: ignore[reportPrivateUsage]
        assert told == [300_000, 400_000]

    async def test_sound_is_not_counted_for_the_estimates(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counted: list[int] = []

        def note(self: Bandwidth, octets: int) -> None:
            del self
            counted.append(octets)

        monkeypatch.setattr(Bandwidth, "sent", note)
        sizes: list[int] = []
        for codec in (audio(OPUS), VP8):
            receiver = await wire.receiver(codec)
            await wire.sender(codec, published(receiver, codec))
            arrives(receiver, KEY)
            sizes.append(len(await wire.next()))
        assert counted == sizes[1:]

    async def test_asking_for_a_larger_layer_calls_grows(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Bandwidth] = []

        def note(self: Bandwidth) -> None:
            told.append(self)

        monkeypatch.setattr(Bandwidth, "grows", note)
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8, ("q", "h", "f")))
        told.clear()
        wishes = [(False, 0), (False, 1), (False, 1), (True, 1), (False, 1), (False, 0)]
        counts: list[int] = []
        for paused, layer in wishes:
            sender.adapt(paused=paused, layer=layer)
            counts.append(len(told))
        assert counts == [0, 1, 1, 1, 2, 2]

    async def test_another_video_and_an_unmuted_one_call_grows(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Bandwidth] = []

        def note(self: Bandwidth) -> None:
            told.append(self)

        monkeypatch.setattr(Bandwidth, "grows", note)
        counts: list[int] = []
        for codec in (audio(OPUS), VP8):
            track = published(await wire.receiver(codec), codec)
            await wire.sender(codec, track)
            counts.append(len(told))
            for muted in (True, False):
                track.mute(muted=muted)
                counts.append(len(told))
        assert counts == [0, 0, 0, 1, 1, 2]

    async def test_an_unsent_track_uses_no_bandwidth(self, wire: Wire) -> None:
        receiver = await wire.receiver(VP8)
        track = published(receiver, VP8, ("q", "h", "f"))
        sender = await wire.sender(VP8, track)
        track.layers.rates = {0: 1.0, 2: 3.0}
        assert sender.layer_rates == [1.0, 1.0, 3.0]
        sender.adapt(paused=True, layer=HIGH)
        assert sender.layer_rates == []
        sender.adapt(paused=False, layer=1)
        assert sender.layer_rates == [1.0, 1.0]
        track.mute(muted=True)
        assert sender.layer_rates == []


class TestScores:
    async def test_a_track_that_was_just_unmuted_is_not_rated_poor(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 5.0
        clock = SimpleNamespace(monotonic=lambda: now, time_ns=lambda: 0)
        monkeypatch.setattr(track_module, "time", clock)
        receiver = await wire.receiver(audio(OPUS))
        track = published(receiver, audio(OPUS))
        assert track.score() == BEST
        arrives(receiver, b"sound")
        now = 10.0
        assert track.score() == BEST
        track.mute(muted=True)
        now = 14.0
        track.mute(muted=False)
        now = 15.0
        assert track.score() == BEST
        now = 20.0
        assert track.score() < BEST
