"""Turns a typed function into a tool: `from toolkit import ToolContext, tool`.

A tool is defined once, and called by the model, by RPC and from a shell. This package imports
nothing else of this project, and no livekit.
"""

from toolkit.caller import Caller
from toolkit.context import ToolContext, ToolDescription
from toolkit.errors import (
    Conflict,
    InvalidArguments,
    NotAllowed,
    NotFound,
    OperationFailed,
    RateLimited,
    StorageFull,
    TimedOut,
    TooLarge,
    ToolError,
    Unavailable,
)
from toolkit.file import File
from toolkit.handoff import Handoff
from toolkit.parts import Data, Part, PartAction, Result, Source, Suggestion
from toolkit.permission import Role, role
from toolkit.questions import Elicited
from toolkit.room import Room
from toolkit.settings import ToolSettings
from toolkit.state import State
from toolkit.tool import Tool, tool
from toolkit.toolbox import Toolbox

__all__ = [
    "Caller",
    "Conflict",
    "Data",
    "Elicited",
    "File",
    "Handoff",
    "InvalidArguments",
    "NotAllowed",
    "NotFound",
    "OperationFailed",
    "Part",
    "PartAction",
    "RateLimited",
    "Result",
    "Role",
    "Room",
    "Source",
    "State",
    "StorageFull",
    "Suggestion",
    "TimedOut",
    "TooLarge",
    "Tool",
    "ToolContext",
    "ToolDescription",
    "ToolError",
    "ToolSettings",
    "Toolbox",
    "Unavailable",
    "role",
    "tool",
]
