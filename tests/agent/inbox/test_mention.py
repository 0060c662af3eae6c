"""Whether a text mentions the agent by name, in the scripts of the world."""

from __future__ import annotations

import unicodedata

import pytest

from agent.inbox.mention import Names, folded

MENTIONS = [
    ("Agent", "agent, who won?"),
    ("Agent", "is it the AGENT?"),
    ("Agent", "the Agent's answer"),
    ("Agent", "the Agent\u02bcs answer"),
    ("Ann Other", "hello ann\u00a0 other!"),
    ("Zo\u00eb", "hi Zoe\u0308!"),
    ("Zoe\u0308", "hi ZO\u00cb"),
    ("Straße", "STRASSE?"),
    ("\u039c\u03ac\u03c1\u03ba\u03bf\u03c2", "\u039c\u0391\u0301\u03a1\u039a\u039f\u03a3!"),
    ("Agent", "\uff21gent\uff0c hello"),
    ("Agent", "ag\u200bent\u2060"),
    ("小助手", "小助手今天天气怎么样"),
    ("小助手", "请问小助手明天呢"),
    ("小助手", "小助手2点提醒我"),
    ("agent", "请agent帮忙"),
    ("たすけ", "ねえたすけさん"),
    ("アシスタント", "アシスタントさん、お願い"),
    ("アシスタント", "ｱｼｽﾀﾝﾄ、お願い"),
    ("ガイド", "カ\u3099イド、お願い"),
    ("ผู้ช่วย", "สวัสดีผู้ช่วยครับ"),
    ("ຜູ້ຊ່ວຍ", "ສະບາຍດີຜູ້ຊ່ວຍ"),
    ("민수", "민수야 안녕"),
    ("민수", unicodedata.normalize("NFD", "민수는 어디야")),
    ("Agent", "Agent야 안녕"),
    ("राम", "रामजी, बताइए"),
    ("राम", "रामे?"),
    ("ராம்", "ராம்கிட்ட கேளு"),
    ("דני", "תגיד לדני"),
    ("דני", "וכשדני בא"),
    ("דני", "דָּנִי, שלום"),
    ("Agent", "לAgent"),
    ("سالم", "والسالم هنا"),
    ("سالم", "ياسالم ما الخبر"),
    ("سالم", "لِسَالِمٍ"),
    ("سالم", "ســالم!"),
    ("دستیار", "دستیار\u200cجان سلام"),  # noqa: RUF001
    ("هم\u200cیار", "همیار سلام"),  # noqa: RUF001
    ("Agent", "Agent\u0443 привет"),
    ("🤖", "hi🤖there"),
]

NO_MENTIONS = [
    ("Agent", "agents"),
    ("Agent", "reagent"),
    ("Agent", "agent2"),
    ("Agent", "my_agent"),
    ("Zoe", "hi Zoe\u0308!"),
    ("Bot2", "Bot25"),
    ("Аня", "Ваня"),
    ("アシスタント", "アシスタントマネージャー"),
    ("スト", "ストー"),
    ("민수", "김민수"),
    ("राम", "आराम"),
    ("דני", "עדני"),
    ("דני", "דניאל"),
    ("سالم", "مسالم"),
    ("小助手", "小助 手"),
    ("\u200b", "hello"),
    ("", "hello"),
]


@pytest.mark.parametrize(("name", "text"), MENTIONS)
def test_a_name_is_found(name: str, text: str) -> None:
    assert Names([name]).are_in(text)
    assert Names(["somebody else", name]).are_in(f"first line\n{text}")


@pytest.mark.parametrize(("name", "text"), NO_MENTIONS)
def test_a_part_of_another_word_is_no_name(name: str, text: str) -> None:
    assert not Names([name]).are_in(text)


def test_a_name_is_found_behind_a_part_of_another_word() -> None:
    assert Names(["agent"]).are_in("reagents and " + "agents " * 5_000 + "agent")


@pytest.mark.parametrize(
    "marks", ["\u0301\u0323", "\u0f73", "\uff9e\u0f73", "\u0344\u0323"], ids=ascii
)
def test_few_combining_characters_in_a_row_are_compared(marks: str) -> None:
    """Sorting them takes quadratic time, wherever they come from."""
    assert len(folded("a" + marks * 10_000)) <= 40
    assert Names(["agent"]).are_in("a" + marks * 10_000 + " agent")
