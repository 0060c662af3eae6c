"""An agent that hears by Deepgram and speaks by Cartesia, both by streams."""

import os

from livekit.plugins import cartesia, deepgram

from agent import App, Persona

VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
LANGUAGES = {"German": "de", "French": "fr", "Spanish": "es"}


def ears(language: str | None) -> deepgram.STT:
    """Hears one language, the agent's or the room's, or any of several."""
    return deepgram.STT(
        model="nova-3",
        language=LANGUAGES.get(language or "", language or "multi"),
        base_url=os.environ.get("DEEPGRAM_URL", "https://api.deepgram.com/v1/listen"),
    )


def mouth(voice: str | None, language: str | None) -> cartesia.TTS:
    """Speaks with a voice of Cartesia's by its id, where metadata or the agent names one."""
    return cartesia.TTS(
        model="sonic-3",
        voice=voice or VOICE,
        language=LANGUAGES.get(language or "", language or "en"),
        base_url=os.environ.get("CARTESIA_URL", "https://api.cartesia.ai"),
    )


app = App(
    {"desk": Persona("You are the reception desk of a hotel. Answer in one sentence.")},
    stt=ears,
    tts=mouth,
)
