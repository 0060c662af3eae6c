"""Which rooms several templates give together: nobody's are somebody else's because of a value."""

from __future__ import annotations

import pytest

from agent.access.room_templates import RoomTemplates
from tests.agent.access.conftest import Open
from tests.agent.access.identity_provider import IdentityProvider
from tests.agent.access.test_token_endpoint import ask


def rooms(templates: str, **claims: object) -> list[tuple[str, str | None]]:
    filled = RoomTemplates(templates.split()).fill(claims)
    return [(each.before, each.after) for each in filled]


@pytest.mark.parametrize(
    ("templates", "claims"),
    [
        ("user:{sub} user:{sub}:*", {"sub": "alice:x"}),
        ("user:{sub}:* user:{sub}", {"sub": "alice:x"}),
        ("{sub} {sub}:*", {"sub": "alice:x"}),
        ("{rooms} team:{team}:*", {"rooms": "team:red:x"}),
        ("user:{sub} user:admin:{name}", {"sub": "admin:ida"}),
        ("user:{sub}:* user:{name}-*", {"name": "alice:x"}),
    ],
)
def test_a_value_that_reaches_into_another_template_gives_nothing(
    templates: str, claims: dict[str, object]
) -> None:
    assert rooms(templates, **claims) == []


def test_a_value_that_is_the_name_of_a_fixed_room_gives_that_room_once() -> None:
    assert rooms("{team}:lobby {team}:{sub}", team="red", sub="lobby") == [("red:lobby", None)]


def test_separators_of_templates_that_begin_otherwise_are_allowed() -> None:
    claims = {"sub": "f:1b9d6bcd:alice", "team": "red"}
    assert rooms("user:{sub} team:{team}:*", **claims) == [
        ("user:f:1b9d6bcd:alice", None),
        ("team:red:", ""),
    ]


def test_only_the_elements_that_reach_into_another_template_are_left_out() -> None:
    given = rooms("{rooms} user:{sub}", sub="ana", rooms=["a:b", "user:bob", "lobby"])
    assert given == [("a:b", None), ("lobby", None), ("user:ana", None)]


@pytest.mark.parametrize(
    ("templates", "given"),
    [
        ("user:{sub} user:{sub}:*", [("user:ana", None), ("user:ana:", "")]),
        ("user:{sub} *", [("user:ana", None), ("", "")]),
        ("{sub} {name}", [("ana", None), ("Ana A.", None)]),
        ("lobby {sub}", [("lobby", None), ("ana", None)]),
        ("lobby lobby", [("lobby", None), ("lobby", None)]),
    ],
)
def test_templates_that_share_rooms_by_their_form_all_count(
    templates: str, given: list[tuple[str, str | None]]
) -> None:
    assert rooms(templates, sub="ana", name="Ana A.") == given


async def test_nobody_gets_a_room_that_is_among_somebody_elses(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    client = await open_endpoint(ACCESS_ROOMS="user:{sub} user:{sub}:*")
    await ask(client, provider.token(sub="alice"), room_name="user:alice:x")
    stranger = provider.token(sub="alice:x")
    await ask(client, stranger, 403, room_name="user:alice:x")
    await ask(client, stranger, 400)
