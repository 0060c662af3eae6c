"""A token's claims, read as livekit-server decodes them (livekit/protocol, auth/grants.go).

Go's decoder takes names of fields in any case, passes over nulls and unknown fields, and refuses a
value of another type.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from google.protobuf import json_format
from livekit import api
from livekit.api.access_token import Claims, camel_to_snake
from livekit.protocol.room import RoomConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_Object: TypeAlias = "Mapping[str, Any]"

_TEXT: Final = "string"
_BOOL: Final = "bool"
_TEXTS: Final = "[]string"
_TEXT_BY_TEXT: Final = "map[string]string"

_CLAIMS: Final = {
    "identity": _TEXT,
    "name": _TEXT,
    "kind": _TEXT,
    "kindDetails": _TEXTS,
    "roomPreset": _TEXT,
    "sha256": _TEXT,
    "metadata": _TEXT,
    "attributes": _TEXT_BY_TEXT,
}
_UNUSED: Final = ("identity", "kindDetails")
"""Claims whose type is checked, and no more: the identity is that of ``sub``."""
_VIDEO: Final = {
    **dict.fromkeys(("roomCreate", "roomList", "roomRecord", "roomAdmin", "roomJoin"), _BOOL),
    **dict.fromkeys(("canPublish", "canSubscribe", "canPublishData"), _BOOL),
    **dict.fromkeys(("canUpdateOwnMetadata", "ingressAdmin", "hidden", "recorder"), _BOOL),
    **dict.fromkeys(("agent", "canSubscribeMetrics", "canManageAgentSession"), _BOOL),
    **dict.fromkeys(("room", "destinationRoom"), _TEXT),
    "canPublishSources": _TEXTS,
}
_AGENT: Final[Mapping[str, str]] = dict.fromkeys(
    ("admin", "simulationAdmin", "databaseAdmin", "dispatchAdmin"), _BOOL
)
_GRANTS: Final[Mapping[str, tuple[str, Callable[..., Any], Mapping[str, str]]]] = {
    "video": ("VideoGrant", api.VideoGrants, _VIDEO),
    "sip": ("SIPGrant", api.SIPGrants, {"admin": _BOOL, "call": _BOOL}),
    "agent": ("AgentGrant", api.AgentGrants, _AGENT),
    "inference": ("InferenceGrant", api.InferenceGrants, {"perform": _BOOL}),
    "observability": ("ObservabilityGrant", api.ObservabilityGrants, {"write": _BOOL}),
}
"""The grants by their claim: Go's structure, ours, and the types of the fields."""


class ClaimError(ValueError):
    """A claim has another type than it should; the text is that of Go's decoder."""


def check_registered(payload: _Object) -> None:
    """Check the types of the claims that every token may have. Raises ClaimError."""
    texts = all(isinstance(payload.get(name), str | None) for name in ("iss", "sub", "jti"))
    times = all(_is_time(payload.get(name)) for name in ("exp", "nbf", "iat"))
    audience: Any = payload.get("aud") or ()
    if not texts or not times or not isinstance(audience, str | list | tuple):
        raise ClaimError
    if not all(isinstance(name, str) for name in cast("Iterable[object]", audience)):
        raise ClaimError


def _is_time(value: object) -> bool:
    return isinstance(value, int | float | None) and not isinstance(value, bool)


def without_half_pairs(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Return a JSON value with U+FFFD for each half of a surrogate pair, as Go decodes it."""
    text = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
    return json.loads(text.decode("utf-16", "replace"))


def read_claims(payload: _Object) -> Claims:
    """Return the claims in a token's payload; grants that it does not state are None.

    Raises ClaimError.
    """
    stated = _named(payload, (*_CLAIMS, *_GRANTS, "roomConfig"))
    identity = str(payload.get("sub") or payload.get("jti") or "")
    claims = Claims(identity=without_half_pairs(identity))
    for name, value in stated.items():
        if name in _GRANTS:
            setattr(claims, name, _grants(name, without_half_pairs(value)))
        elif name == "roomConfig":
            claims.room_config = _room_config(value)
        else:
            _check(value, _CLAIMS[name], f"tokenClaims.ClaimGrants.{name}")
            if name not in _UNUSED:
                setattr(claims, camel_to_snake(name), without_half_pairs(value))
    claims.attributes = {key: text or "" for key, text in (claims.attributes or {}).items()}
    return claims


def _grants(claim: str, stated: object) -> Any:  # noqa: ANN401  one of the classes of grants
    struct, kind, fields = _GRANTS[claim]
    if not isinstance(stated, dict):
        raise _mismatch(stated, f"tokenClaims.ClaimGrants.{claim}", f"auth.{struct}")
    grants = _named(cast("_Object", stated), fields)
    for name, value in grants.items():
        _check(value, fields[name], f"{struct}.ClaimGrants.{claim}.{name}")
    if claim == "video":
        # A grant to publish tracks includes data, unless it is stated.
        grants.setdefault("canPublishData", grants.get("canPublish", True))
    return kind(**{camel_to_snake(name): value for name, value in grants.items()})


def _room_config(stated: object) -> RoomConfiguration:
    if not isinstance(stated, dict):
        token = "[" if isinstance(stated, list) else json.dumps(stated)
        raise ClaimError(f"proto: syntax error (line 1:1): unexpected token {token}")
    try:
        return json_format.ParseDict(
            cast("dict[str, Any]", stated), RoomConfiguration(), ignore_unknown_fields=True
        )
    except (json_format.ParseError, TypeError, AttributeError, RecursionError) as error:
        raise ClaimError(f"proto: {error}") from None


def _named(stated: _Object, names: Mapping[str, Any] | tuple[str, ...]) -> dict[str, Any]:
    """Return the given fields under their canonical names, without nulls."""
    known = {name.lower(): name for name in names}
    return {
        known[key.lower()]: value
        for key, value in stated.items()
        if key.lower() in known and value is not None
    }


def _check(value: object, wanted: str, field: str) -> None:
    match wanted, value:
        case ("string", str()) | ("bool", bool()):
            return
        case ("[]string", list()):
            items = cast("list[object]", value)
        case ("map[string]string", dict()):
            items = list(cast("dict[str, object]", value).values())
        case _:
            raise _mismatch(value, field, wanted)
    for item in items:
        if item is not None:
            _check(item, _TEXT, field)


def _mismatch(value: object, field: str, wanted: str) -> ClaimError:
    match value:
        case bool():
            kind = "bool"
        case str():
            kind = "string"
        case list():
            kind = "array"
        case dict():
            kind = "object"
        case _:
            kind = "number"
    return ClaimError(
        f"json: cannot unmarshal {kind} into Go struct field {field} of type {wanted}"
    )
