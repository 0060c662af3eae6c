from __future__ import annotations

import pytest

from agent.config.claim_template import MAX_VALUES, ClaimTemplate

CLAIMS: dict[str, object] = {
    "sub": "ana",
    "team": "red",
    "rooms": ["one", "two"],
    "n": 7,
    "admin": True,
    "realm_access": {"roles": ["moderator", "cook"]},
    "https://app.example/role": "moderator",
}


def texts(template: str, claims: dict[str, object]) -> list[str]:
    return [each.before for each in ClaimTemplate(template).fill(claims)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{sub}", ["ana"]),
        ("lobby", ["lobby"]),
        ("user-{sub}", ["user-ana"]),
        ("{team}:{sub}", ["red:ana"]),
        ("{n}", ["7"]),
        ("{rooms}", ["one", "two"]),
        ("{team}/{rooms}", ["red/one", "red/two"]),
        ("{realm_access.roles}", ["moderator", "cook"]),
        ("{https://app.example/role}", ["moderator"]),
        ("{missing}", []),
        ("{realm_access}", []),
        ("{realm_access.missing.more}", []),
        ("{admin}", []),
        ("{rooms}:{rooms}", []),
    ],
)
def test_claims_fill_a_template(template: str, expected: list[str]) -> None:
    assert texts(template, CLAIMS) == expected


@pytest.mark.parametrize("template", ["{", "a}", "{a", "*{a}*", "{a}{b}", "{a}*", "*{a}", "{a b}"])
def test_a_template_that_says_two_things_or_nothing_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"claim|most one"):
        ClaimTemplate(template)


def test_a_wildcard_stands_for_any_text_but_none() -> None:
    (filled,) = ClaimTemplate("team:{team}:*").fill(CLAIMS)
    assert filled.matches("team:red:kitchen")
    assert not filled.matches("team:red:")
    assert not filled.matches("team:blue:kitchen")


@pytest.mark.parametrize(
    ("template", "claims"),
    [
        ("{a}:{b}", {"a": "x:y", "b": "z"}),
        ("{a}:*", {"a": "x:y"}),
        ("*:{a}", {"a": "x:y"}),
        ("{a}::*", {"a": "x::y"}),
    ],
)
def test_no_value_can_look_like_two(template: str, claims: dict[str, object]) -> None:
    assert texts(template, claims) == []


def test_values_with_a_forbidden_text_are_left_out() -> None:
    template = ClaimTemplate("dept-{rooms}", forbidden=(",",))
    filled = template.fill({"rooms": ["x,moderator", "cook", ",", "a,"]})
    assert [each.before for each in filled] == ["dept-cook"]


def test_the_last_claim_may_have_what_separates_the_others() -> None:
    assert texts("{a}:{b}", {"a": "x", "b": "y:z"}) == ["x:y:z"]


@pytest.mark.parametrize("value", ["", " ana", "a\nb", "x" * 129, None, 1.5, {"a": 1}, [["a"]]])
def test_claims_that_are_not_short_lines_of_text_are_left_out(value: object) -> None:
    assert texts("{sub}", {"sub": value}) == []


def test_wildcards_and_braces_in_values_are_text() -> None:
    (filled,) = ClaimTemplate("{rooms}").fill({"rooms": "*"})
    assert (filled.matches("*"), filled.matches("anything")) == (True, False)
    assert texts("{rooms}", {"rooms": "{sub}", "sub": "ana"}) == ["{sub}"]


@pytest.mark.parametrize(
    ("template", "text", "may"),
    [
        ("lobby", "lobby", True),
        ("lobby", "lobby2", False),
        ("{a}", "x", True),
        ("{a}", "", False),
        ("user:{a}", "user:x:y", True),
        ("user:{a}", "user:", False),
        ("user:{a}:*", "user:x:y", True),
        ("user:{a}:*", "user:x:", False),
        ("user:{a}:*", "user:x", False),
        ("user:{a}:*", "team:x:y", False),
        ("{a}-{b}-end", "x-y-end", True),
        ("{a}-{b}-end", "x-end", False),
        ("{a}::{b}", ":::x", True),
    ],
)
def test_it_tells_what_it_may_give_to_somebody(template: str, text: str, *, may: bool) -> None:
    assert ClaimTemplate(template).may_give(text) is may


def test_long_lists_are_cut() -> None:
    assert len(texts("{rooms}", {"rooms": [f"r{n}" for n in range(1000)]})) == MAX_VALUES
