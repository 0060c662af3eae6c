"""VoiceSettings: a group of settings; agent.config.settings reads them."""

from pydantic import BaseModel, Field

from agent.config.setting_types import HttpUrl, Secret, VoicePolicy, VoiceText, Word


class VoiceSettings(BaseModel):
    """When the agent speaks, and the speech services."""

    voice: VoicePolicy = Field(
        "auto",
        alias="VOICE",
        description="auto (while somebody has a microphone), on (in rooms with people), off",
    )
    voice_text: VoiceText = Field(
        "immediate",
        alias="VOICE_TEXT",
        description="the text of a spoken answer: immediate, or synced with the speech",
    )
    stt_model: Word = Field(
        "gpt-4o-mini-transcribe",
        alias="STT_MODEL",
        min_length=1,
        description="model that recognises speech",
    )
    stt_language: str = Field(
        "",
        alias="STT_LANGUAGE",
        max_length=16,
        description="language spoken to the agent, such as en; empty: detected each time; "
        "a room may have its own in its metadata",
    )
    stt_base_url: HttpUrl | None = Field(
        None, alias="STT_BASE_URL", description="service for speech recognition, if a different one"
    )
    stt_api_key: Secret | None = Field(
        None, alias="STT_API_KEY", description="key of the service at STT_BASE_URL"
    )
    tts_model: Word = Field(
        "gpt-4o-mini-tts", alias="TTS_MODEL", min_length=1, description="model that speaks"
    )
    tts_voice: Word = Field(
        "ash",
        alias="TTS_VOICE",
        min_length=1,
        description="its voice; a room may have its own in its metadata",
    )
    tts_base_url: HttpUrl | None = Field(
        None, alias="TTS_BASE_URL", description="service for speech synthesis, if a different one"
    )
    tts_api_key: Secret | None = Field(
        None, alias="TTS_API_KEY", description="key of the service at TTS_BASE_URL"
    )
