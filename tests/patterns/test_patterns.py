"""No regular expression of the project can be made to take more than linear time.

People choose what the worker reads, and all rooms of a process share one event loop: a pattern that
backtracks holds up every room. Steps are counted, not time.
"""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.patterns.attacks import attacks
from tests.patterns.backtracking import Program, TooManyStepsError, Use, is_unbounded
from tests.patterns.found import (
    ROOT,
    FoundPattern,
    NotFoundError,
    imports_re_by_another_name,
    patterns_in,
    sources,
)
from tests.patterns.sre import tree

REPEATED: Final = 30
GROWTH: Final = 2.6
"""Steps for twice as many characters, at most; 4 is quadratic."""

COMPILED_ONLY: Final = {ROOT / "toolkit" / "schema_patterns.py"}
"""Files that compile the patterns of others, to see whether they can be read."""


def too_slow(pattern: re.Pattern[str], use: Use) -> str | None:
    """A string that shows that it takes more than linear time, if there is one."""
    if not is_unbounded(tree(pattern)):
        return None
    program = Program.of(pattern)
    for beginning, part, end in attacks(pattern):
        once, twice = (beginning + part * count + end for count in (REPEATED, 2 * REPEATED))
        try:
            growth = program.steps(twice, use) / program.steps(once, use)
        except TooManyStepsError:
            growth = float("inf")
        if growth > GROWTH:
            return f"{beginning!r} + {part!r} * n + {end!r}: {growth:.1f} times the steps for 2 n"
    return None


def found_patterns() -> list[FoundPattern]:
    return [found for path in sources() if path not in COMPILED_ONLY for found in patterns_in(path)]


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        (r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<svg\b", "match"),
        (r"(a+)+$", "match"),
        (r"(a|a)*b", "match"),
        (r"(\w+\s*)*:", "match"),
        (r"\s+$", "search"),
        (r"<.*>", "search"),
        (r"a.*b.*c", "search"),
        (r"call (\w+)(\{.*\})?", "all"),
        (r"\w*\w*!", "match"),
    ],
)
def test_patterns_that_backtrack_are_recognised(pattern: str, use: Use) -> None:
    assert too_slow(re.compile(pattern, re.DOTALL), use)


@pytest.mark.parametrize(
    ("pattern", "use"),
    [(r"[,\s]+", "all"), (r"\w+@\w+", "match"), (r"\s*\S{1,24}|\s+", "all"), (r"a|b*c", "match")],
)
def test_patterns_that_do_not_backtrack_are_left_alone(pattern: str, use: Use) -> None:
    assert too_slow(re.compile(pattern), use) is None


@pytest.mark.parametrize("source", ["P = (re.compile('a'),)", "re.sub(name, '', '')"])
def test_a_pattern_that_cannot_be_found_is_an_error(source: str) -> None:
    path = ROOT / "agent" / "example.py"
    with pytest.raises(NotFoundError):
        list(patterns_in(path, f"import re\n{source}\n"))


@pytest.mark.parametrize("found", found_patterns(), ids=lambda found: found.place)
def test_a_pattern_takes_linear_time(found: FoundPattern) -> None:
    for use in found.uses:
        assert too_slow(found.pattern, use) is None


def test_patterns_are_made_by_the_module_re() -> None:
    assert not [path for path in sources() if imports_re_by_another_name(path)]
