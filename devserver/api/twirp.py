"""Twirp: methods as POST /twirp/<package>.<Service>/<Method>, in protobuf and in JSON.

Errors have the codes, the HTTP statuses and the texts of twirp v8 and of livekit-server's services
(livekit/protocol: livekit/*.twirp.go; twirp: errors.go).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from devserver.auth import VerifiedToken, token_of
from devserver.clean_paths import redirect, unclean_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

_STATUS = {
    "bad_route": 404,
    "canceled": 408,
    "deadline_exceeded": 408,
    "failed_precondition": 412,
    "internal": 500,
    "invalid_argument": 400,
    "malformed": 400,
    "not_found": 404,
    "resource_exhausted": 429,
    "unauthenticated": 401,
    "unavailable": 503,
    "unimplemented": 501,
    "unknown": 500,
}


class TwirpError(Exception):
    """A refusal, as the caller gets it."""

    def __init__(self, code: str, message: str, meta: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.meta = dict(meta or {})

    def response(self) -> web.Response:
        body: dict[str, Any] = {"code": self.code, "msg": self.message}
        if self.meta:
            body["meta"] = self.meta
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        return web.Response(
            status=_STATUS[self.code],
            body=text.encode(errors="replace"),  # a header may hold invalid UTF-8
            content_type="application/json",
        )


def internal_error(code: str, message: str) -> TwirpError:
    """An error that livekit-server's parts give each other; its text says that it crossed Twirp."""
    return TwirpError(code, f"twirp error unknown: {message}")


def argument_error(argument: str, message: str) -> TwirpError:
    """An InvalidArgumentError of twirp: `<argument> <message>`, and the argument by itself."""
    return TwirpError("invalid_argument", f"{argument} {message}", {"argument": argument})


Request = TypeVar("Request", bound=Message)


@dataclass(frozen=True)
class Method(Generic[Request]):
    """One method: its request's type, and its handler for the holder of a token."""

    request: type[Request]
    answer: Callable[[VerifiedToken, Request], Message | Awaitable[Message]]


class Twirp:
    """Routes and codecs for the methods of some services, by service name."""

    def __init__(self, services: Mapping[str, Mapping[str, Method[Any]]]) -> None:
        self._services = services

    def routes(self) -> Iterable[web.RouteDef]:
        for name, methods in self._services.items():

            async def answer(
                request: web.Request, methods: Mapping[str, Method[Any]] = methods
            ) -> web.Response:
                moved = unclean_path(request)
                if moved is not None:
                    return moved
                try:
                    return await _answer(request, methods)
                except TwirpError as error:
                    return error.response()

            yield web.route("*", f"/twirp/livekit.{name}/{{method:.*}}", answer)
            yield web.route("*", f"/twirp/livekit.{name}", _add_slash)

    async def close(self) -> None:
        """Nothing outlives a request."""


async def _add_slash(request: web.Request) -> web.Response:
    """Redirect from a service without a method to its path, as Go's ServeMux does."""
    return redirect(request, f"{request.path}/")


async def _answer(request: web.Request, methods: Mapping[str, Method[Any]]) -> web.Response:
    if request.method != "POST":
        raise _bad_route(request, f'unsupported method "{request.method}" (only POST is allowed)')
    method = methods.get(request.match_info["method"])
    if method is None:
        raise _bad_route(request, f'no handler for path "{request.path}"')
    header = request.headers.get("Content-Type", "")
    match header.split(";")[0].strip().lower():
        case "application/json":
            message = _from_json(await request.read(), method.request)
            answer = await _answered(method, request, message)
            return web.Response(body=_to_json(answer), content_type="application/json")
        case "application/protobuf":
            message = _from_protobuf(await request.read(), method.request)
            answer = await _answered(method, request, message)
            return web.Response(
                body=answer.SerializeToString(), content_type="application/protobuf"
            )
        case _:
            raise _bad_route(request, f'unexpected Content-Type: "{header}"')


async def _answered(method: Method[Any], request: web.Request, message: Message) -> Message:
    answer = method.answer(token_of(request), message)
    return answer if isinstance(answer, Message) else await answer


def _bad_route(request: web.Request, message: str) -> TwirpError:
    return TwirpError(
        "bad_route", message, {"twirp_invalid_route": f"{request.method} {request.path}"}
    )


def _from_protobuf(body: bytes, kind: type[Request]) -> Request:
    try:
        return kind.FromString(body)
    except DecodeError:
        raise TwirpError("malformed", "the protobuf request could not be decoded") from None


def _from_json(body: bytes, kind: type[Request]) -> Request:
    try:
        # Go's decoder reads the first value, and leaves what follows.
        parsed, _ = _JSON.raw_decode(body.decode().lstrip(" \t\r\n"))
        if isinstance(parsed, _Fields) and not parsed.state_twice(kind):
            if b"\\u" in body:
                # Half of a surrogate pair in a name makes protobuf raise SystemError.
                json.dumps(parsed, ensure_ascii=False).encode()
            return json_format.ParseDict(parsed, kind(), ignore_unknown_fields=True)
    except (ValueError, json_format.ParseError, RecursionError):
        pass
    raise TwirpError("malformed", "the json request could not be decoded")


class _Fields(dict[str, Any]):
    """A JSON object that remembers duplicate names."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._names = [name for name, _ in pairs]

    def state_twice(self, kind: type[Message]) -> bool:
        """Whether a field of a message of this kind is there twice, by either of its names."""
        fields = {each.json_name: each.name for each in kind.DESCRIPTOR.fields}
        fields |= {each.name: each.name for each in kind.DESCRIPTOR.fields}
        stated = [fields[name] for name in self._names if name in fields]
        return len(set(stated)) < len(stated)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_Fields, parse_constant=_no_constant)


def _to_json(message: Message) -> bytes:
    return json.dumps(_every_field(message), separators=(",", ":"), ensure_ascii=False).encode()


def _every_field(message: Message) -> dict[str, Any]:
    """Return the message in twirp's JSON: protobuf's names, and fields with default values too."""
    stated: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    _state_what_is_unset(message, stated)
    return stated


def _state_what_is_unset(message: Message, stated: dict[str, Any]) -> None:
    """Go's protojson writes null for a message that is not set; Python's leaves it out."""
    for descriptor in message.DESCRIPTOR.fields:
        if descriptor.message_type is None or descriptor.message_type.GetOptions().map_entry:
            continue
        if descriptor.is_repeated:
            for item, stated_item in zip(
                getattr(message, descriptor.name), stated[descriptor.name], strict=True
            ):
                _state_what_is_unset(item, stated_item)
        elif message.HasField(descriptor.name):
            if isinstance(stated[descriptor.name], dict):
                _state_what_is_unset(getattr(message, descriptor.name), stated[descriptor.name])
        elif descriptor.containing_oneof is None:
            stated[descriptor.name] = None
