from __future__ import annotations

import pytest
from livekit.agents import APIStatusError, APITimeoutError

from agent.models import service_health
from agent.models.service_health import ServiceHealth


def refusal(status: int) -> APIStatusError:
    return APIStatusError("refused", status_code=status)


def test_nothing_is_known_before_the_first_request() -> None:
    assert ServiceHealth().works is None


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_service_that_refuses_any_request_fails_until_it_answers(status: int) -> None:
    health = ServiceHealth()
    health.failed(refusal(status))
    assert health.works is False
    health.answered()
    assert health.works is True


def test_a_service_that_does_not_answer_in_time_fails() -> None:
    health = ServiceHealth()
    health.failed(APITimeoutError())
    assert health.works is False


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_service_that_refuses_one_request_works(status: int) -> None:
    health = ServiceHealth()
    health.failed(refusal(status))
    assert health.works is True


def test_an_old_failure_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_health, "FAILURE_LASTS", 0.0)
    health = ServiceHealth()
    health.failed(refusal(503))
    assert health.works is None
