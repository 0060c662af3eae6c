"""ChatSettings: a group of settings; agent.config.settings reads them."""

from pydantic import BaseModel, Field

from agent.config.setting_types import (
    Names,
    RemoteSession,
    ReplyPolicy,
    RpcAnswers,
    WhiteboardClear,
)


class ChatSettings(BaseModel):
    """Topics, which messages are answered, and the limits of messages and answers."""

    chat_topics: Names = Field(
        ("lk.chat", "chat"), alias="CHAT_TOPICS", description="topics people write on"
    )
    reply_topics: Names = Field(
        ("llm-response", "lk.transcription"),
        alias="REPLY_TOPICS",
        description="text stream topics that every answer goes out on",
    )
    reply_policy: ReplyPolicy = Field(
        "always",
        alias="REPLY_POLICY",
        description=(
            "always, mention (only when named, in any script, or replied to), "
            "auto (mention in a group)"
        ),
    )
    interrupt_on_message: bool = Field(
        False,
        alias="INTERRUPT_ON_MESSAGE",
        description="a new message ends the answer in progress to the same person",
    )
    max_message_bytes: int = Field(
        65_536,
        alias="MAX_MESSAGE_BYTES",
        ge=1,
        le=1_048_576,
        description="longest chat message, in bytes of UTF-8",
    )
    max_pending_messages: int = Field(
        50,
        alias="MAX_PENDING_MESSAGES",
        ge=1,
        le=1000,
        description="messages one person may have waiting for an answer",
    )
    answer_timeout: float = Field(
        300.0,
        alias="ANSWER_TIMEOUT",
        ge=0,
        le=86_400,
        description="seconds that an answer may take, with tool calls, approvals and speech; "
        "0: no limit",
    )
    max_context_messages: int = Field(
        200,
        alias="MAX_CONTEXT_MESSAGES",
        ge=2,
        le=10_000,
        description="messages of a conversation that the model gets",
    )
    max_context_tokens: int = Field(
        32_000,
        alias="MAX_CONTEXT_TOKENS",
        ge=2_000,
        le=10_000_000,
        description="tokens of a conversation that the model gets, estimated",
    )
    whiteboard_clear: WhiteboardClear = Field(
        "moderators",
        alias="WHITEBOARD_CLEAR",
        description="who may clear the whiteboard: moderators (role moderator in the token) or "
        "everybody",
    )
    stream_timeout: float = Field(
        30.0,
        alias="STREAM_TIMEOUT",
        gt=0,
        le=600,
        description="seconds of silence after which an incoming stream is closed",
    )
    max_rpc_calls: int = Field(
        16,
        alias="MAX_RPC_CALLS",
        ge=1,
        le=1000,
        description="RPC calls one participant may have under way",
    )
    rpc_answers: RpcAnswers = Field(
        "response",
        alias="RPC_ANSWERS",
        description="response: answers come in the RPC response; private: in packets wherever the "
        "SDK would send the response to the whole room",
    )
    remote_session: RemoteSession = Field(
        "moderators",
        alias="REMOTE_SESSION",
        description="moderators: they may read the room's context, with the instructions, by "
        "lk.agent.session (Agents Playground); off: nobody may",
    )
