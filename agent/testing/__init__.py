"""Tests of an app: a room in the test's process, a scripted model, and people who write.

Public are the names in `__all__`; docs/testing.md shows them.
"""

from agent.testing.app_test import AppTest
from agent.testing.exchange import Call, Exchange
from agent.testing.person import Person

__all__ = ["AppTest", "Call", "Exchange", "Person"]
