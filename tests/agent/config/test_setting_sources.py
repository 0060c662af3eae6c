"""The `.env` file in other encodings, quotes that are kept, and misspelt settings."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.config.environment import slips
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError

TEXT = 'AGENT_DISPLAY_NAME="J\u00fcrgen \u5c71"\nLOG_LEVEL=DEBUG\n'


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(dotenv: Path, mark: bytes) -> None:
    dotenv.write_bytes(mark + TEXT.replace("\n", "\r\n").encode())
    settings = Settings.from_environment({}, dotenv)
    assert (settings.agent_display_name, settings.log_level) == ("J\u00fcrgen \u5c71", "DEBUG")


@pytest.mark.parametrize(
    "data",
    [
        *(TEXT.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
        *("LOG_LEVEL=DEBUG\n# J\u00fcrgen".encode(name) for name in ("latin-1", "utf-16-le")),
        "LOG_LEVEL=DEBUG # \u5c71".encode("shift-jis"),
    ],
)
def test_another_encoding_is_refused_in_one_sentence(dotenv: Path, data: bytes) -> None:
    dotenv.write_bytes(data)
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({}, dotenv)
    assert refused.value.problems == [
        f"{dotenv}: expected a text file in UTF-8; save it in that encoding"
    ]


def test_a_directory_is_no_file(dotenv: Path) -> None:
    dotenv.mkdir()
    assert Settings.from_environment({}, dotenv) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("'s3cret'", "s3cret"),
        ('"s3cret"', "s3cret"),
        (' "s3cret" ', "s3cret"),
        ("s3'cret", "s3'cret"),
        ("'s3cret", "'s3cret"),
        ("'s3' + 'cret'", "'s3' + 'cret'"),
        ("\"s3cret'", "\"s3cret'"),
        ("'", "'"),
        ("\u201cs3cret\u201d", "s3cret"),
        ("\u2018s3cret\u2019", "s3cret"),
        ('\u201cs3cret"', '\u201cs3cret"'),
    ],
)
def test_quotes_around_a_value_are_left_out(given: str, value: str) -> None:
    settings = Settings.from_environment({"LIVEKIT_API_SECRET": given})
    assert settings.livekit_api_secret is not None
    assert settings.livekit_api_secret.get_secret_value() == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVEKIT_URL", "wss://room.test # production"),
        ("OPENAI_BASE_URL", "http://model.test/v1 \t# local"),
        ("LIVEKIT_API_KEY", "APIk3y # production"),
        ("LIVEKIT_API_SECRET", "s3cret # production"),
        ("OPENAI_API_KEY", "k3y #mine"),
        ("LLM_MODEL", "gpt-5 # the best"),
        ("AGENT_MAX_ROOMS", "25 # rooms"),
    ],
)
def test_a_comment_that_was_kept_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({name: value})
    (problem,) = refused.value.problems
    assert problem.startswith(f"{name}: expected ")
    assert "s3cret" not in problem
    assert "k3y" not in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVEKIT_API_SECRET", "no blank#s3cret"),
        ("AGENT_NAME", "support #2"),
        ("AGENT_INSTRUCTIONS", "Answer. # Never ask."),
    ],
)
def test_a_sign_that_begins_no_comment_is_kept(name: str, value: str, dotenv: Path) -> None:
    settings = Settings.from_environment({name: value}, dotenv)
    kept = getattr(settings, name.lower())
    assert value == (kept.get_secret_value() if isinstance(kept, SecretStr) else kept)


def test_quotes_around_nothing_are_no_value() -> None:
    assert Settings.from_environment({"LIVEKIT_URL": '""'}).livekit_url is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AGENT_MAX_ROOM", "AGENT_MAX_ROOMS"),
        ("agent_max_rooms", "AGENT_MAX_ROOMS"),
        ("OPENAI_APIKEY", "OPENAI_API_KEY"),
        ("OPENAI_BASEURL", "OPENAI_BASE_URL"),
        ("LLM_MODLE", "LLM_MODEL"),
        ("LIVEKIT_API_SECERT", "LIVEKIT_API_SECRET"),
        ("DATABASEURL", "DATABASE_URL"),
        ("MCP_SERVER", "MCP_SERVERS"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_nearest(dotenv: Path, name: str, meant: str) -> None:
    sentence = f"{name} is not a setting: did you mean {meant}?"
    assert slips({name: "1", "PATH": "/bin"}, dotenv) == [sentence]
    dotenv.write_text(f"{name}=1\n")
    assert slips({}, dotenv) == [sentence]


def test_other_programs_variables_are_no_slips(dotenv: Path) -> None:
    others = (
        "HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY HOST HOSTNAME PATH PORT LANG LOGNAME PWD "
        "LIVEKIT_REGION_NAME LIVEKIT_REMOTE_EOT_URL OPENAI_ORG_ID OPENAI_PROJECT_ID AGENT_SETTINGS "
        "POSTGRES_URL DATABASE_HOST LLM_API_KEY NEXT_PUBLIC_LIVEKIT_URL VOICE_ID HTTP_HOSTS_FILE"
    )
    assert slips(dict.fromkeys(others.split(), "1"), dotenv) == []
