"""A job's token is signed again only if this worker's key signed it, for the job's room."""

from __future__ import annotations

import inspect

import pytest
from livekit import api
from livekit.agents import JobContext
from livekit.agents.job import RunningJobInfo

from agent.sdk.job_token import renewed

KEY, SECRET = "key", "a secret of thirty-two characters"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)


def token(room: str, *, key: str = KEY, secret: str = SECRET) -> str:
    grants = api.VideoGrants(room=room, room_join=True, agent=True)
    return api.AccessToken(key, secret).with_identity("agent").with_grants(grants).to_jwt()


def test_a_token_of_our_key_is_signed_again_with_its_claims() -> None:
    given = token("kitchen")
    verify = api.TokenVerifier().verify
    before, after = verify(given), verify(renewed(given, "kitchen"))
    assert after.identity == "agent"
    assert after.video == before.video


@pytest.mark.parametrize(
    "given",
    [
        token("kitchen", secret="another secret of as many characters"),  # noqa: S106
        token("kitchen", key="another key"),
        token("vault"),
        "no token",
        "",
    ],
    ids=["secret", "key", "room", "malformed", "empty"],
)
def test_any_other_token_is_never_signed(given: str, caplog: pytest.LogCaptureFixture) -> None:
    assert renewed(given, "kitchen") == given
    assert "joining with it as it is" in caplog.text
    assert "secret" not in caplog.text.replace("LIVEKIT_API_SECRET", "")


def test_the_framework_keeps_the_token_where_we_look() -> None:
    assert "token" in RunningJobInfo.__dataclass_fields__
    assert "self._info = info" in inspect.getsource(JobContext.__init__)
