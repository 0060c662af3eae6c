"""The demo model: a scripted OpenAI-compatible server, for development and tests."""

from devserver.model.script import Fault, Reply, tool_call
from devserver.model.server import DemoModel, serve

__all__ = ["DemoModel", "Fault", "Reply", "serve", "tool_call"]
