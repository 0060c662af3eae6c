"""The agent's tools: plain typed functions, one file each. The model and RPC clients call them.

A new tool is a file with a function under `@tool`, its line here, and a test.
"""

from tools.current_time import get_current_time
from tools.describe_tools import describe_tools
from tools.ping import ping
from tools.risky_operation import risky_operation
from tools.weather.get_weather import get_weather

TOOLS = (get_weather, get_current_time, ping, risky_operation, describe_tools)
