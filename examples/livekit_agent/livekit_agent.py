"""A livekit Agent as LiveKit's documentation writes them: it takes a name, then books a table.

python -m agent dev --app examples/livekit_agent/livekit_agent.py
"""

from dataclasses import dataclass

from livekit.agents import Agent, AgentSession, AgentTask, RunContext, function_tool

from agent import App


@dataclass
class Guest:
    """A conversation's data about its guest."""

    name: str = ""


class AskName(AgentTask[str]):
    """Asks until it has a name."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask for the guest's name, and note it once you have it.")

    async def on_enter(self) -> None:
        await self.session.say("Under which name, please?")

    @function_tool
    async def note_name(self, name: str) -> None:
        """Note the guest's name."""
        self.complete(name)


class Restaurant(Agent):
    """Books tables."""

    def __init__(self) -> None:
        super().__init__(instructions="You book tables in a restaurant. Be brief.")

    async def on_enter(self) -> None:
        await self.session.say("Good evening! For when would you like a table?")

    @function_tool
    async def book_table(self, context: RunContext[Guest], hour: int, people: int) -> str:
        """Book a table.

        Args:
            hour: of the evening, 17 to 22
            people: how many come
        """
        guest = context.userdata
        guest.name = guest.name or await AskName()
        return f"A table for {people} at {hour}:00 is booked for {guest.name}."


def restaurant() -> tuple[AgentSession[Guest], Agent]:
    """A session for each conversation, as an entrypoint makes it."""
    return AgentSession[Guest](userdata=Guest()), Restaurant()


app = App({"restaurant": restaurant})
