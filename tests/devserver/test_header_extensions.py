"""The header extensions of packets, for whatever a client negotiates."""

from __future__ import annotations

import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters

from devserver.media.header_extensions import MID, ExtensionMap, Extensions


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
