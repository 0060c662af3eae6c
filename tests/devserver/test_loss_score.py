"""How good a connection is called, by the packets that come and those that are lost."""

from __future__ import annotations

import pytest

from devserver.media.loss_score import BEST, LossScore, StreamCounts

DRY = 40.0
"""The score of a stream of which nothing comes, though something should."""


def scored(score: LossScore, expected: int, at: float, **options: float) -> float:
    return score.update(StreamCounts(expected, 0), "audio/opus", muted=False, at=at, **options)


def test_a_stream_is_not_called_poor_before_its_first_packet() -> None:
    score = LossScore()
    assert scored(score, 0, 5.0) == BEST
    assert scored(score, 0, 10.0) == BEST
    assert scored(score, 250, 15.0) == BEST
    assert scored(score, 250, 20.0) == DRY


@pytest.mark.parametrize(("unmuted_at", "told"), [(12.0, DRY), (12.5, BEST), (14.9, BEST)])
def test_a_stream_has_to_be_unmuted_for_half_of_the_time(unmuted_at: float, told: float) -> None:
    score = LossScore()
    assert scored(score, 250, 5.0) == BEST
    assert score.update(StreamCounts(250, 0), "audio/opus", muted=True, at=10.0) == BEST
    assert scored(score, 250, 15.0, unmuted_at=unmuted_at) == told
    assert scored(score, 250, 20.0, unmuted_at=unmuted_at) == DRY


def test_losses_of_a_short_interval_are_not_scored_later() -> None:
    score = LossScore()
    assert scored(score, 250, 5.0) == BEST
    half = StreamCounts(500, 250)
    assert score.update(half, "audio/opus", muted=False, at=10.0, unmuted_at=9.0) == BEST
    later = StreamCounts(750, 250)
    assert score.update(later, "audio/opus", muted=False, at=15.0, unmuted_at=9.0) == BEST
