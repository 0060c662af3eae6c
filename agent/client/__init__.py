"""A Python client of the agent, for backends, tests and the terminal.

It knows the wire and nothing of the worker. Docs: docs/clients.md.
"""

from agent.client.agent_error import AgentError, NoAnswerError
from agent.client.answer import Answer, Delta, Shown
from agent.client.approvals import Approval, Decision
from agent.client.elicitations import Elicitation
from agent.client.file_receiver import ReceivedFile
from agent.client.message import Message, Version
from agent.client.message_list import MessageList
from agent.client.room_agent import RoomAgent

__all__ = [
    "AgentError",
    "Answer",
    "Approval",
    "Decision",
    "Delta",
    "Elicitation",
    "Message",
    "MessageList",
    "NoAnswerError",
    "ReceivedFile",
    "RoomAgent",
    "Shown",
    "Version",
]
