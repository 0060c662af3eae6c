"""What the agent can do: plain typed functions, one file each, offered to the model and by RPC.

A new tool is a file with a function under `@tool`, its line here, and a test.
"""

from tools.current_time import get_current_time
from tools.describe_tools import describe_tools
from tools.ping import ping
from tools.risky_operation import risky_operation
from tools.weather.get_weather import get_weather

TOOLS = (get_weather, get_current_time, ping, risky_operation, describe_tools)
