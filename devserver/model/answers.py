"""Answers of the demo model without a script: plain rules, the same answer every time."""

import itertools
import json
import re
import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from functools import cache

import msgspec

from devserver.model.script import Reply, tool_call
from devserver.model.wire import ChatRequest, Message, ToolCall

INTRODUCTION = "I am the demo model: a script on this machine, not a language model."
_HINT = (
    "Ask me for the weather in a city, for the time, to quote the conversation, or to count to"
    " a number. Set OPENAI_API_KEY or OPENAI_BASE_URL to talk to a real model."
)
_MAX_QUOTED_MESSAGES = 20
_MAX_QUOTED_CHARS = 500
_MAX_COUNT = 10_000
_MAX_PLACES = 3

_QUOTE = re.compile(r"\bquote\b|\bwhat (?:did|have) (?:i|we|you|they) (?:say|said|tell)\b", re.I)
_COUNT = re.compile(r"\bcount (?:up )?to (\d{1,6})\b", re.I)
_CALL = re.compile(r"\bcall (\w+)\s*(\{.*\})?", re.S)
_WEATHER = re.compile(r"\b(?:weather|forecast|temperature)\b", re.I)
_TIME = re.compile(
    r"\b(?:what time|the time|time is it|time in|current time|local time|what date)\b", re.I
)
_BEFORE_PLACE = re.compile(r"\b(?:in|for|at)\b", re.I)
_NO_PLACE = re.compile(
    r"\b(?:today|tomorrow|tonight|right now|now|please|the moment|me|us|this \w+|next \w+)\b", re.I
)


def answer(request: ChatRequest) -> Reply:
    """The reply to a request: about tool results, by calling tools, or in words."""
    if request.tool_results:
        return Reply(text=" ".join(_report(call, out) for call, out in request.tool_results))
    text = request.user_text
    if not text:
        return Reply(text=f"Hello. {INTRODUCTION} {_HINT}")
    if _QUOTE.search(text):
        return Reply(text=_quote(request.messages))
    if count := _COUNT.search(text):
        numbers = range(1, min(int(count[1]), _MAX_COUNT) + 1)
        return Reply(text=" ".join(str(number) for number in numbers))
    return _call_tools(text, request.offered_tools) or Reply(text=_converse(text))


def _converse(text: str) -> str:
    if _WEATHER.search(text) or _TIME.search(text):
        return f"{INTRODUCTION} I was offered no tool to look that up with. {_HINT}"
    return f'{INTRODUCTION} You said: "{_shorten(text)}" {_HINT}'


def _call_tools(text: str, offered: frozenset[str]) -> Reply | None:
    call = _CALL.search(text)
    if call and call[1] in offered:
        return Reply(tool_calls=(tool_call(call[1], call[2] or "{}"),))
    if _WEATHER.search(text) and "getWeather" in offered:
        places = _places(text)
        if not places:
            return Reply(
                text=f"{INTRODUCTION} The weather in which city? Ask me so: the weather in Paris."
            )
        calls = [tool_call("getWeather", json.dumps({"city": place})) for place in places]
        return Reply(tool_calls=calls)
    if _TIME.search(text) and "getCurrentTime" in offered:
        zone = _time_zone(text)
        return Reply(
            tool_calls=(
                tool_call("getCurrentTime", json.dumps({"timezone": zone} if zone else {})),
            )
        )
    return None


def _places(text: str) -> list[str]:
    """City names after "in", "for" or "at": "in Paris and New York?" gives both."""
    for words in reversed(_BEFORE_PLACE.split(text)[1:]):
        names = re.split(r",| and ", _NO_PLACE.sub("", re.split(r"[?!.;:\n]", words)[0]))
        if places := [name.strip() for name in names if name.strip()]:
            return places[:_MAX_PLACES]
    return []


def _time_zone(text: str) -> str | None:
    """An IANA zone named in the text, or that of a city which a zone is named after."""
    zones = _zones_by_name()
    words = re.findall(r"[\w/+-]+", text)
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(words)]
    return next((zones[word.lower()] for word in pairs + words if word.lower() in zones), None)


@cache
def _zones_by_name() -> Mapping[str, str]:
    zones = {"utc": "UTC"}
    for zone in sorted(zoneinfo.available_timezones()):
        if "/" in zone and not zone.startswith("Etc/"):
            zones[zone.lower()] = zone
            zones.setdefault(zone.rpartition("/")[2].replace("_", " ").lower(), zone)
    return zones


def _quote(messages: list[Message]) -> str:
    spoken = [m for m in messages[:-1] if m.role in ("user", "assistant") and m.text]
    if not spoken:
        return f"{INTRODUCTION} There is nothing before your question that I could quote."
    lines = [f'{m.name or m.role}: "{_shorten(m.text)}"' for m in spoken[-_MAX_QUOTED_MESSAGES:]]
    return f"{INTRODUCTION} This was said before:\n" + "\n".join(lines)


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_QUOTED_CHARS else text[:_MAX_QUOTED_CHARS] + "…"


def _report(call: ToolCall, output: str) -> str:
    """A sentence on what a tool answered, and no more than it answered."""
    name = call.function.name
    result = _parse(output)
    if _is_failure(name, result):
        return f"{INTRODUCTION} I called {name}, but it failed: {_shorten(output)}"
    told = _weather(result) if name == "getWeather" else None
    return f"{INTRODUCTION} I called {name}, and it says: {told or _shorten(output)}"


class _Weather(msgspec.Struct):
    city: str
    temperature: float
    condition: str
    temperature_unit: str = msgspec.field(default="degrees", name="temperatureUnit")


def _weather(result: object) -> str | None:
    """The main facts of a getWeather answer in words; None where it is of another shape."""
    try:
        facts = msgspec.convert(result, _Weather)
    except msgspec.ValidationError:
        return None
    degrees = f"{facts.temperature:g} {facts.temperature_unit}"
    return f"it is {degrees} in {facts.city}, {facts.condition.lower()}."


def _is_failure(name: str, result: object) -> bool:
    """Whether a tool's answer is an error.

    The chat format has no mark for errors, so compare with the tool's normal result: getWeather
    returns an object, getCurrentTime an ISO 8601 time.
    """
    if isinstance(result, dict):
        return "error" in result
    if name == "getWeather":
        return True
    if name == "getCurrentTime":
        return not _is_time(result)
    return isinstance(result, str) and "error" in result.lower()


def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _parse(output: str) -> object:
    try:
        return json.loads(output)
    except ValueError:
        return output
