"""One emoji, and no more."""

import pytest

from agent.data.emoji import is_emoji

FAMILY = "👩\u200d👩\u200d👧\u200d👦"
EMOJIS = (
    "👍 👍🏽 ❤ ❤️ 🫠 🇫🇷 #️⃣ 7️⃣ ‼️ ™️ ↔️ ⌚ ▶️ ☀️ ✅ ⬆️ 〰️ ㊗️ 🀄 🈁 \u2139\ufe0f "
    f"{FAMILY} 🧑🏻\u200d❤️\u200d💋\u200d🧑🏿 🏳️\u200d🌈 🏴\U000e0067\U000e0062\U000e007f"
).split()

NO_EMOJIS = [
    *("", " ", "a", "A👍", "👍👍", "👍 ", ":+1:", "1", "#", "<b>", "é", "漢", "\u200d", "\ufe0f"),
    *("👍\u200d", "👍" + "\u200d👍" * 16, "\x00", "\ud83d", "\U0001f1eb", "'; DROP TABLE x; --"),
]


@pytest.mark.parametrize("text", EMOJIS)
def test_an_emoji(text: str) -> None:
    assert is_emoji(text)


@pytest.mark.parametrize("text", NO_EMOJIS)
def test_no_emoji(text: str) -> None:
    assert not is_emoji(text)
