"""ModelSettings: a group of settings; agent.config.settings reads them."""

from pydantic import BaseModel, Field

from agent.config.setting_types import HttpUrl, Secret, Word


class ModelSettings(BaseModel):
    """The model service, and how it is asked."""

    openai_api_key: Secret | None = Field(
        None, alias="OPENAI_API_KEY", description="key of the model service"
    )
    openai_base_url: HttpUrl = Field(
        "https://api.openai.com/v1",
        alias="OPENAI_BASE_URL",
        description="any OpenAI-compatible service",
    )
    llm_model: Word = Field(
        "gpt-4.1-mini", alias="LLM_MODEL", min_length=1, description="model that answers"
    )
    llm_temperature: float | None = Field(
        None, alias="LLM_TEMPERATURE", ge=0, le=2, description="0 to 2; empty: the model's own"
    )
    llm_max_completion_tokens: int | None = Field(
        None,
        alias="LLM_MAX_COMPLETION_TOKENS",
        ge=1,
        le=10_000_000,
        description="tokens that the model may write in one request; empty: the model's own limit",
    )
    llm_timeout: float = Field(
        30.0,
        alias="LLM_TIMEOUT",
        gt=0,
        le=600,
        description="seconds of silence from the model after which an answer has failed",
    )
    llm_retries: int = Field(
        1, alias="LLM_RETRIES", ge=0, le=5, description="retries before the first token"
    )
    llm_vision: bool = Field(True, alias="LLM_VISION", description="the model accepts images")
