"""The guard of the log finds secrets and people's words, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Generator

import pytest

from tests.log_guard import LogGuard, fragments

SECRET = "the secret of this very test"  # noqa: S105 - of nothing
WORDS = "I have told nobody but you about the cake"

logger = logging.getLogger("agent.some.part")


@pytest.fixture
def guard() -> Generator[LogGuard]:
    """A separate guard; the suite's would fail these tests."""
    guard = LogGuard()
    logger.addHandler(guard)
    logger.propagate = False
    yield guard
    logger.removeHandler(guard)
    logger.propagate = True


@pytest.mark.parametrize(
    "line",
    [
        "connecting with eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
        "the key is sk-abcdef",
        "Authorization: Bearer abcdef0123456789",
        "cannot open postgresql://agent:hunter2@db/agent",
        f"signed with {SECRET}",
        WORDS,
        f"dropping {WORDS[:30]}...",
    ],
)
def test_secrets_and_words_are_found(guard: LogGuard, line: str) -> None:
    guard.keep_secret(SECRET)
    guard.said(f"ann: {WORDS}")
    logger.debug("%s", line)
    assert len(guard.found()) == 1


def test_they_are_found_in_fields_and_in_exceptions(guard: LogGuard) -> None:
    guard.said(WORDS)
    logger.info("answered", extra={"text": WORDS})
    try:
        raise ValueError(WORDS)
    except ValueError:
        logger.exception("failed")
    try:
        raise ExceptionGroup("several", [KeyError("x"), ValueError(WORDS)])
    except ExceptionGroup:
        logger.exception("failed")
    assert len(guard.found()) == 3


def test_they_are_found_in_what_a_process_prints(guard: LogGuard) -> None:
    guard.said(WORDS)
    guard.printed(f'A banner\n{{"message": "answered", "text": "{WORDS}"}}\n{WORDS}')
    assert len(guard.found()) == 1


def test_ids_addresses_and_short_texts_are_no_finding(guard: LogGuard) -> None:
    guard.keep_secret("secret")
    guard.said("hello", "a-long-word-without-any-space", "Why not?")
    logger.info("hello secret Why not? a-long-word-without-any-space")
    logger.info("postgresql://db.example/agent and postgresql://agent:***@db/agent")
    logger.warning("room failed", extra={"room": "room-1", "asker": "alice@example.com"})
    assert guard.found() == []


def test_content_that_was_asked_for_is_no_finding_and_secrets_are(guard: LogGuard) -> None:
    guard.allow_words()
    guard.said(WORDS)
    logger.info("%s", WORDS)
    assert guard.found() == []
    logger.info("Bearer abcdef0123456789")
    assert len(guard.found()) == 1


def test_the_code_of_a_stack_is_not_read(guard: LogGuard) -> None:
    guard.said("ValueError in a line of the code")
    try:
        raise KeyError("ValueError in a line of the code"[:3])
    except KeyError:
        logger.exception("failed")
    assert guard.found() == []


def test_a_label_is_no_part_of_what_was_said() -> None:
    assert set(fragments("something to tell you about")) <= set(
        fragments("Ann (ann): something to tell you about")
    )
