"""The header extensions of packets, for whatever a client negotiates."""

from __future__ import annotations

import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters

from devserver.media.header_extensions import MID, SEND_TIME, ExtensionMap, Extensions, send_time


def negotiated(numbers: dict[str, int]) -> ExtensionMap:
    extensions = ExtensionMap()
    extensions.configure(
        RTCRtpSendParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=number, uri=uri)
                for uri, number in numbers.items()
            ]
        )
    )
    return extensions


@pytest.mark.parametrize(
    ("number", "mid"), [(256, "0"), (-1, "0"), (0, "0"), (3, "m" * 256), (3, "ü" * 128), (3, "")]
)
def test_extensions_that_do_not_fit_into_a_packet_are_left_out(number: int, mid: str) -> None:
    assert negotiated({MID: number}).set(Extensions(mid=mid)) == (0, b"")


def test_the_longest_name_of_a_section_is_sent() -> None:
    extensions = negotiated({MID: 255})
    assert extensions.get(*extensions.set(Extensions(mid="m" * 255))).mid == "m" * 255


@pytest.mark.parametrize(
    ("seconds", "value"), [(1.0, b"\x04\0\0"), (63.5, b"\xfe\0\0"), (64.25, b"\x01\0\0")]
)
def test_packets_state_when_they_were_sent(seconds: float, value: bytes) -> None:
    sent = Extensions(abs_send_time=send_time(seconds))
    _, packed = negotiated({SEND_TIME: 3}).set(sent)
    assert packed == b"\x32" + value
    assert negotiated({}).set(sent) == (0, b"")
