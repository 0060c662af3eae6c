"""Tests of an app: a room in the test's process, a scripted model, and people who write.

Public are the names in `__all__`; docs/testing.md shows them.
"""

from typing import TYPE_CHECKING

from agent.testing.app_test import AppTest
from agent.testing.exchange import Call, Exchange
from agent.testing.person import Person

if TYPE_CHECKING:
    from agent.testing.history_contract import HistoryContract

__all__ = ["AppTest", "Call", "Exchange", "HistoryContract", "Person"]


def __getattr__(name: str) -> object:
    """HistoryContract, which needs pytest, is imported when it is asked for."""
    if name != "HistoryContract":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest  # noqa: PLC0415 - see above

    # Otherwise a test that fails would not say what was compared.
    for module in ("turn_contract", "change_contract"):
        pytest.register_assert_rewrite(f"{__name__}.{module}")
    from agent.testing.history_contract import HistoryContract  # noqa: PLC0415 - see above

    return HistoryContract
