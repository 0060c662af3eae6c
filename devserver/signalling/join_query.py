"""The query parameters with which a client of signalling v0 joins, as a JoinRequest."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, cast

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUE = ("1", "true")
_INT32 = range(-(1 << 31), 1 << 31)
_SDKS = {
    "js": models.ClientInfo.JS,
    "ios": models.ClientInfo.SWIFT,
    "swift": models.ClientInfo.SWIFT,
    "android": models.ClientInfo.ANDROID,
    "flutter": models.ClientInfo.FLUTTER,
    "go": models.ClientInfo.GO,
    "unity": models.ClientInfo.UNITY,
    "reactnative": models.ClientInfo.REACT_NATIVE,
    "rust": models.ClientInfo.RUST,
    "python": models.ClientInfo.PYTHON,
    "cpp": models.ClientInfo.CPP,
    "unityweb": models.ClientInfo.UNITY_WEB,
    "node": models.ClientInfo.NODE,
    "esp32": models.ClientInfo.ESP32,
}
_CLIENT_TEXTS = (
    "version",
    "os",
    "os_version",
    "browser",
    "browser_version",
    "device_model",
    "network",
)


class AttributesError(ValueError):
    """The parameter ``attributes`` cannot be read."""


def join_request(query: Mapping[str, str], *, strict: bool) -> rtc.JoinRequest:
    """Return the join request in ``query`` (pkg/service/rtcservice.go, validateInternal).

    Raises AttributesError if the attributes cannot be read; unless ``strict``, it ignores them.
    """
    request = rtc.JoinRequest(
        client_info=_client_info(query),
        connection_settings=rtc.ConnectionSettings(
            auto_subscribe=_is_true(query, "auto_subscribe", default=True),
            adaptive_stream=_is_true(query, "adaptive_stream"),
            auto_subscribe_data_track=_is_true(query, "auto_subscribe_data_track"),
        ),
        reconnect=_is_true(query, "reconnect"),
    )
    if request.reconnect:
        request.participant_sid = query.get("sid", "")
    try:
        request.participant_attributes.update(_attributes(query.get("attributes", "")))
    except AttributesError:
        if strict:
            raise
    return request


def _client_info(query: Mapping[str, str]) -> models.ClientInfo:
    """Return the client's description of itself (pkg/service/utils.go, ParseClientInfo)."""
    info = models.ClientInfo(
        sdk=_SDKS.get(query.get("sdk", ""), models.ClientInfo.UNKNOWN),
        protocol=_number(query.get("protocol", "")),
        client_protocol=_number(query.get("client_protocol", "")),
        **{name: query.get(name, "") for name in _CLIENT_TEXTS},
    )
    names = {name.strip() for name in query.get("capabilities", "").split(",")}
    info.capabilities.extend(
        cast("models.ClientInfo.Capability", value)
        for name, value in models.ClientInfo.Capability.items()
        if name in names
    )
    return info


def _attributes(encoded: str) -> dict[str, str]:
    if not encoded:
        return {}
    try:
        decoded: Any = json.loads(base64.b64decode(encoded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise AttributesError from None
    if decoded is None:
        return {}
    if not isinstance(decoded, dict):
        raise AttributesError
    return {_text(key): _text(value) for key, value in cast("dict[str, Any]", decoded).items()}


def _text(value: object) -> str:
    """Return a string that can be sent on, or an empty one for null, as Go reads it."""
    if value is None:
        return ""
    if not isinstance(value, str) or any("\ud800" <= char <= "\udfff" for char in value):
        raise AttributesError
    return value


def _number(text: str) -> int:
    """Return a decimal number of 32 bits, or 0."""
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 10:
        return 0
    number = int(text)
    return number if number in _INT32 else 0


def _is_true(query: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = query.get(name, "")
    return value in _TRUE if value else default
