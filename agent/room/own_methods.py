"""The RPC methods that every room has, besides its tools and those of its topics and files."""

from __future__ import annotations

from agent.config.settings import Settings
from agent.inbox.people import People
from agent.rpc.backend import Backend
from agent.rpc.room_control import RoomControl
from agent.rpc.room_methods import room_methods
from agent.rpc.set_listening import set_listening_tool
from agent.rpc.state_methods import state_methods
from agent.voice.voice_switch import VoiceSwitch
from toolkit.tool import Tool


def own_methods(
    control: RoomControl,
    settings: Settings,
    voice: VoiceSwitch,
    people: People,
    backend: Backend,
) -> list[Tool]:
    """The methods of the history, of messages, of parts and of the shared state, and `setListening`
    if the room may have a voice."""
    methods = [
        *room_methods(control, backend),
        control.part_actions.method(),
        *state_methods(control.room, control.states, settings.state_writers),
    ]
    if not voice.is_off:
        methods.append(set_listening_tool(people.is_known, lambda: voice.only, voice.listen_to))
    return methods
