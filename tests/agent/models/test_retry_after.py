"""The pause that a service asks for before a retry."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from agent.models.retry_after import retry_after

DATE = 1_700_000_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "soon"}, None),
        (
            {
                "retry-after": formatdate(DATE + 9, usegmt=True),
                "date": formatdate(DATE, usegmt=True),
            },
            9.0,
        ),
        ({"retry-after": formatdate(DATE, usegmt=True)}, 0.0),
        ({"retry-after": "Wed, 99 Foo"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
    ],
)
def test_how_long_a_service_is_left_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
