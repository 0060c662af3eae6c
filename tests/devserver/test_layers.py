"""Simulcast layers: chosen by what a viewer wants and what comes, and joined to one stream."""

from __future__ import annotations

import pytest
from livekit.protocol import models, rtc

from devserver.media.frames import (
    PictureNumbers,
    begins_keyframe,
    picture_numbers,
    renumbered,
)
from devserver.media.layer_switch import LayerSwitch, StreamPacket
from devserver.media.layers import Layers, wanted_layer
from devserver.media.packet_trailer import without_trailer
from devserver.media.session_text import offered_layers, with_layers

KEY, DELTA = 0, 1
VIDEO = models.TrackInfo(
    width=1280, height=720, layers=[models.VideoLayer(height=each) for each in (180, 360, 720)]
)


def vp8(kind: int, picture: int, base_layer: int) -> bytes:
    """A payload with a picture id of 15 bits and a number of the base layer."""
    return bytes([0x90, 0xE0, 0x80 | picture >> 8, picture & 0xFF, base_layer, 0x20, kind, 7])


class TestFrames:
    @pytest.mark.parametrize(
        ("mime_type", "payload", "begins"),
        [
            ("video/VP8", vp8(KEY, 5, 1), True),
            ("video/VP8", vp8(DELTA, 5, 1), False),
            ("video/VP8", bytes([0x10, 0]), True),
            ("video/VP8", bytes([0x90, 0x80]), False),
            ("video/VP8", bytes([0x90]), False),
            ("video/H264", bytes([0x65, 1]), True),
            ("video/H264", bytes([0x41, 1]), False),
            ("video/H264", bytes([0x18, 0, 9, 0x67]), True),
            ("video/H264", bytes([0x18, 0, 2, 9, 0xF0, 0, 1, 0x67, 0, 1, 0x68]), True),
            ("video/H264", bytes([0x18, 0, 2, 9, 0xF0, 0, 1, 0x41]), False),
            ("video/H264", bytes([0x18, 0, 0, 0x41, 0]), False),
            ("video/H264", bytes([0x18, 0, 2, 9, 0xF0, 0, 1]), False),
            ("video/H264", bytes([0x7C, 0x85]), True),
            ("video/H264", bytes([0x7C, 0x05]), False),
            ("video/VP9", bytes([0x08]), True),
            ("video/VP9", bytes([0x48]), False),
            ("video/AV1", bytes([0x08]), True),
            ("video/AV1", bytes([0x10]), False),
            ("video/VP8", b"", False),
        ],
    )
    def test_where_a_key_frame_begins(self, mime_type: str, payload: bytes, begins: bool) -> None:
        assert begins_keyframe(payload, mime_type) == begins

    def test_pictures_get_other_numbers(self) -> None:
        payload = vp8(DELTA, 300, 9)
        assert picture_numbers(payload) == PictureNumbers(300, 9)
        other = renumbered(payload, PictureNumbers(1000, 255))
        assert picture_numbers(other) == PictureNumbers(1000, 255)
        assert other[5:] == payload[5:]

    @pytest.mark.parametrize("size", range(6))
    def test_a_header_that_is_cut_off_has_no_numbers(self, size: int) -> None:
        assert picture_numbers(vp8(KEY, 300, 9)[:size]) == PictureNumbers()

    def test_a_header_without_a_picture_has_numbers(self) -> None:
        assert picture_numbers(vp8(KEY, 300, 9)[:6]) == PictureNumbers(300, 9)


class TestChoice:
    @pytest.mark.parametrize(
        ("settings", "layer"),
        [
            (rtc.UpdateTrackSettings(quality=models.LOW), 0),
            (rtc.UpdateTrackSettings(quality=models.MEDIUM), 1),
            (rtc.UpdateTrackSettings.FromString(b"\x20" + b"\xfb" + 8 * b"\xff" + b"\x01"), 0),
            (rtc.UpdateTrackSettings(width=160, height=90), 0),
            (rtc.UpdateTrackSettings(width=340, height=190), 0),
            (rtc.UpdateTrackSettings(width=640, height=360), 1),
            (rtc.UpdateTrackSettings(width=9000, height=9000), 2),
        ],
    )
    def test_the_layer_fits_the_viewers_settings(
        self, settings: rtc.UpdateTrackSettings, layer: int
    ) -> None:
        assert wanted_layer(settings, VIDEO) == layer

    def test_an_available_layer_is_sent(self) -> None:
        layers = Layers(["f", "q", "h"])
        assert layers.rids == ["q", "h", "f"]
        assert layers.best(2) == 2
        layers.note(1, 100)
        assert (layers.best(2), layers.best(0)) == (1, 1)
        layers.note(0, 100)
        assert (layers.best(2), layers.best(0)) == (1, 0)


class TestSwitch:
    def take(self, switch: LayerSwitch, sequence: int, payload: bytes, layer: int) -> StreamPacket:
        packet = StreamPacket(sequence, 90_000 * layer + sequence, payload)
        taken = switch.take(packet, "video/VP8", layer=layer, wanted=layer)
        assert taken is not None
        return taken

    def test_one_layer_follows_the_other_at_a_key_frame(self) -> None:
        switch = LayerSwitch()
        first = self.take(switch, 65535, vp8(KEY, 0x7FFF, 255), 0)
        assert (first.sequence_number, picture_numbers(first.payload).picture) == (65535, 0x7FFF)
        waiting = StreamPacket(77, 5, vp8(DELTA, 7, 7))
        assert switch.take(waiting, "video/VP8", layer=1, wanted=1) is None
        second = self.take(switch, 100, vp8(KEY, 40, 3), 1)
        assert second.sequence_number == 0
        assert second.timestamp > first.timestamp
        assert picture_numbers(second.payload) == PictureNumbers(0, 0)
        third = self.take(switch, 101, vp8(DELTA, 41, 4), 1)
        assert third.sequence_number == 1
        assert picture_numbers(third.payload) == PictureNumbers(1, 1)

    def test_after_a_pause_a_key_frame_begins(self) -> None:
        switch = LayerSwitch()
        self.take(switch, 1, vp8(KEY, 1, 1), 0)
        switch.leave()
        missed = StreamPacket(2, 2, vp8(DELTA, 2, 2))
        assert switch.take(missed, "video/VP8", layer=0, wanted=0) is None
        assert self.take(switch, 9, vp8(KEY, 9, 9), 0).sequence_number == 2


def test_an_answer_takes_the_layers_that_were_offered() -> None:
    offer = "v=0\r\nm=audio 9\r\na=mid:0\r\nm=video 9\r\na=mid:1\r\na=simulcast:send q;~h,x;f\r\n"
    assert offered_layers(offer) == {"1": ["q", "h", "f"]}
    answer = "v=0\r\nm=audio 9\r\na=mid:0\r\nm=video 9\r\na=mid:1\r\n"
    assert with_layers(answer, {"1": ["q", "f"]}) == (
        answer + "a=rid:q recv\r\na=rid:f recv\r\na=simulcast:recv q;f\r\n"
    )


@pytest.mark.parametrize(
    ("payload", "left"),
    [
        (b"frame" + bytes([7, 7, 7 ^ 0xFF]) + b"LKTS", b"frame"),
        (b"frame" + bytes([5 ^ 0xFF]) + b"LKTS", b"frame"),
        (bytes([5 ^ 0xFF]) + b"LKTS", b""),
        (b"frame" + bytes([4 ^ 0xFF]) + b"LKTS", None),
        (b"frame" + bytes([99 ^ 0xFF]) + b"LKTS", None),
        (b"LKTS", None),
        (b"frame", None),
        (b"", None),
    ],
)
def test_metadata_is_cut_from_a_frame(payload: bytes, left: bytes | None) -> None:
    assert without_trailer(payload) == (payload if left is None else left)
