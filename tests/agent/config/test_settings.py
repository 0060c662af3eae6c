"""Settings: read once, every wrong one named with what is expected, secrets never shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from dotenv import dotenv_values

from agent.config.environment import settle
from agent.config.mcp_servers import HttpServer, StdioServer
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError

WHOLE = {
    "LIVEKIT_URL": "wss://example.livekit.cloud/",
    "LIVEKIT_API_KEY": "key",
    "LIVEKIT_API_SECRET": "a secret",
    "OPENAI_API_KEY": "another secret",
}


def test_defaults_are_enough_with_a_server_and_a_key() -> None:
    settings = Settings.from_environment(WHOLE)
    assert settings.missing() == []
    assert settings.livekit_url == "wss://example.livekit.cloud"
    assert settings.agent_identity == "agent"
    assert settings.chat_topics == ("lk.chat", "chat")
    assert settings.reply_topics == ("llm-response", "lk.transcription")


def test_missing_values_are_named() -> None:
    problems = Settings.from_environment({}).missing()
    names = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "OPENAI_API_KEY"]
    assert [problem.split()[0] for problem in problems] == names
    assert (
        Settings.from_environment({"OPENAI_BASE_URL": "http://localhost:1/v1"}).missing(
            server=False
        )
        == []
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LIVEKIT_URL", "localhost:7880", "URL"),
        ("OPENAI_BASE_URL", "ftp://x/", "http"),
        ("AGENT_MAX_ROOMS", "many", "whole number"),
        ("AGENT_MAX_ROOMS", "0", "greater than or equal to 1"),
        ("REPLY_POLICY", "sometimes", "'always', 'mention' or 'auto'"),
        ("INTERRUPT_ON_MESSAGE", "perhaps", "boolean"),
        ("LLM_TEMPERATURE", "3", "less than or equal to 2"),
        ("HTTP_PORT", "70000", "65535"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({**WHOLE, name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: expected ")
    assert expected in problem
    assert value.strip() in problem


def test_a_list_of_nothing_is_no_list() -> None:
    with pytest.raises(SettingsError, match="REPLY_TOPICS: expected one or more names"):
        Settings.from_environment({**WHOLE, "REPLY_TOPICS": " , "})


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"LIVEKIT_URL": "x", "AGENT_MAX_ROOMS": "y"})
    assert len(caught.value.problems) == 2


def test_secrets_are_never_shown() -> None:
    settings = Settings.from_environment(WHOLE)
    assert "a secret" not in repr(settings)
    assert "another secret" not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({**WHOLE, "AGENT_IDENTITY": "x" * 500})
    assert len(str(caught.value)) < 300


def test_the_environment_outweighs_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("LLM_MODEL=from-file\nAGENT_NAME=from-file\nAGENT_IDENTITY=\n")
    settings = Settings.from_environment({"LLM_MODEL": "from-environment"}, dotenv)
    assert settings.llm_model == "from-environment"
    assert settings.agent_name == "from-file"
    assert settings.agent_identity == "agent"


def test_settled_values_stay_when_the_file_changes(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("LLM_MODEL=from-file\nAGENT_NAME=from-file\nAGENT_IDENTITY=\nOTHER=x\n")
    environ = {"LLM_MODEL": "from-environment", "LLM_RETRIES": ""}
    before = Settings.from_environment(environ, dotenv)
    settle(environ, dotenv)
    dotenv.write_text("LLM_MODEL=changed\nAGENT_NAME=changed\nTTS_VOICE=new\nLLM_RETRIES=never\n")
    assert Settings.from_environment(environ, dotenv) == before
    assert before.agent_name == "from-file"
    # Packages that an app uses look for their keys there.
    assert environ["OTHER"] == "x"


def test_mcp_servers_are_read_from_json() -> None:
    servers = """{
            "docs": {"url": "https://example.org/mcp", "headers": {"Authorization": "hidden"},
                     "tools": ["search"], "rpc": true, "roles": ["host"], "maxCalls": 2},
            "files": {"type": "stdio", "command": "serve", "args": ["--key", "hidden"],
                      "env": {"TOKEN": "hidden"}, "approval": ["delete"],
                      "approvers": ["clerk"], "timeout": 5}
        }"""
    settings = Settings.from_environment({**WHOLE, "MCP_SERVERS": servers})
    docs, files = settings.mcp_servers["docs"], settings.mcp_servers["files"]
    assert isinstance(docs, HttpServer)
    assert docs.headers["Authorization"].get_secret_value() == "hidden"
    assert docs.tools == {"search"}
    assert docs.allows_rpc("search")
    assert (docs.roles, docs.max_calls) == ({"host"}, 2)
    assert (files.roles, files.max_calls, files.timeout) == (None, 16, 5)
    assert isinstance(files, StdioServer)
    assert files.args == ("--key", "hidden")
    assert not files.allows_rpc("delete")
    assert files.needs_approval("delete")
    assert not files.needs_approval("read")
    assert (docs.approvers, files.approvers) == (None, {"clerk"})
    assert "hidden" not in repr(settings)
    assert "hidden" not in repr((docs, files))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("hidden", "MCP_SERVERS: expected JSON: "),
        ('{"hidden": ', "MCP_SERVERS: expected JSON: "),
        ("[]", "MCP_SERVERS: expected an object"),
        ('{"docs": {}}', "MCP_SERVERS: docs: command: expected a value"),
        ('{"docs": {"url": "hidden"}}', "MCP_SERVERS: docs: url: expected a URL that starts with"),
        (
            '{"docs": {"url": "https://me:hidden@example.org"}}',
            "MCP_SERVERS: docs: url: expected a URL without password and query",
        ),
        (
            '{"docs": {"url": "https://example.org?key=hidden"}}',
            "MCP_SERVERS: docs: url: expected a URL without password and query",
        ),
        (
            '{"docs": {"command": "x", "args": "hidden"}}',
            "MCP_SERVERS: docs: args: expected a list",
        ),
        (
            '{"docs": {"command": "x", "hidden": 1}}',
            "MCP_SERVERS: docs: hidden: expected no such key",
        ),
        ('{"docs": {"command": "x", "timeout": 0}}', "MCP_SERVERS: docs: timeout: expected"),
        ('{"docs": {"command": "x", "maxCalls": 0}}', "MCP_SERVERS: docs: maxCalls: expected"),
        ('{"docs": {"command": "x", "roles": []}}', "MCP_SERVERS: docs: roles: expected"),
        ('{"a b": {"command": "x"}}', "MCP_SERVERS: a b"),
        ('{"docs": {"command": "x", "timeout": "hidden"}}', "MCP_SERVERS: docs: timeout: expected"),
    ],
)
def test_errors_of_mcp_servers_hide_their_secrets(value: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({**WHOLE, "MCP_SERVERS": value})
    (said,) = caught.value.problems
    assert said.startswith(problem)
    assert "hidden" not in said.replace(": hidden: ", "")


def test_the_guides_example_of_mcp_servers_can_be_copied_into_dotenv() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "tools.md").read_text()
    example = guide[guide.index("MCP_SERVERS='") :].partition("```")[0]
    settings = Settings.from_environment(
        {**WHOLE, **{k: v or "" for k, v in dotenv_values(stream=io.StringIO(example)).items()}}
    )
    assert isinstance(settings.mcp_servers["docs"], HttpServer)
    assert isinstance(settings.mcp_servers["files"], StdioServer)
