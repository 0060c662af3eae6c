"""The encoding of text from before Unicode, told by the letters of the languages that use it.

A statistical library needs more text than a table of prices has: charset-normalizer takes Polish
for Spanish with odd signs, and Chinese for Korean. The letters that a language does not have, and
signs in the middle of words, tell more. It is asked where no language fits.
"""

# ruff: noqa: RUF001 - letters and signs of many scripts are meant
from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

SAMPLE_BYTES: Final = 8 * 1024
"""Bytes of lines with other characters than ASCII that are looked at."""

_SIGNS: Final = frozenset(
    "„“”‚‘’‹›«»–—…€£¥§°©®™·•¿¡ªº¹²³±µ×÷½¼¾¬\xa0†‡‰№、。，；：？！（）「」『』・"
)
_WITHIN_WORDS: Final = frozenset("’‘·\xa0–—…、。，；：？！（）「」『』・")
"""Signs that may stand between two letters."""

_AFTER_WORDS: Final = frozenset("ªº¹²³›")
"""Signs that no letter follows."""

_WESTERN: Final = ("cp1252", "iso8859_15", "mac_roman", "cp850")
_CENTRAL: Final = ("cp1250", "iso8859_2", "cp852")
_BALTIC: Final = ("cp1257",)
_TURKISH: Final = ("cp1254", "cp857")
_LATIN: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("äöüß", _WESTERN),
    ("àâæçéèêëîïôœùûü", _WESTERN),
    ("áéíñóúü", _WESTERN),
    ("ãáàâçéêíõóôúü", _WESTERN),
    ("àèéìíòóù", _WESTERN),
    ("åäöæøéü", _WESTERN),
    ("ëïéèöüáó", _WESTERN),
    ("ąćęłńóśźż", _CENTRAL),
    ("áčďéěíľĺňóôŕřšťúůýžä", _CENTRAL),
    ("áéíóöőúüű", _CENTRAL),
    ("čćđšž", _CENTRAL),
    ("ăâîşţ", _CENTRAL),
    ("çğıöşüiâîû\u0307", _TURKISH),
    ("ąčęėįšųūž", _BALTIC),
    ("āčēģīķļņšūž", _BALTIC),
    ("áéíóúýðþæö", ("cp1252",)),
)
"""Letters of a language besides ASCII in lower case, and its encodings; usual ones first."""

_CYRILLIC: Final = ("cp1251", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")
_RUSSIAN: Final = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_ALPHABETS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (_RUSSIAN + "ё№", "оеаинтсрвлкмдп", _CYRILLIC),
    (_RUSSIAN + "іїєґў", "оаинеівтрслкмд", _CYRILLIC),
    (_RUSSIAN[:26] + "ђјљњћџѓќѕ", "аоиенртсјкдвум", ("cp1251", "iso8859_5")),
    ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ", "αοιετσνηυρπκμλ", ("cp1253", "iso8859_7")),
    ("אבגדהוזחטיךכלםמןנסעףפץצקרשת", "יוהלאתרמבשנ", ("cp1255",)),
    ("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگ", "اليمنترهوبد", ("cp1256",)),
)
"""Letters of other alphabets, usual ones among them, and encodings."""

_COMMON: Final = {
    "Chinese": "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着"
    "去之过家学对可里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行"
    "方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理"
    "美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电"
    "四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市品"
    "价格單價產為個國們這來說時會學對後過還發開動兩長現將與進實點種聲話問機給業間電東"
    "氣關",
    "Korean": "이다는의가에을를한하고은로기자도지사리시대어나인그아일부정수전서해과보구게장제스"
    "주원상동요들라여성있생만것공국우무비오조학니습회선신관문개경방소세화년품",
    "Japanese": "日一人年大十二本中長出三同時政事自行社見月分議後前民生連五発間対上部東者党地合市"
    "業内相方四定今回新場金員九入選立開手米力学問高代明実円関決子動京全目表戦経通外最"
    "言氏現理調体化田当八六約主題下首品名価格商",
}
"""Usual characters of a language."""

_LEAST: Final = 0.3
"""The least score of an encoding that is believed."""

_SIGNS_ALONE: Final = 1.05

Judge = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Candidate:
    encoding: str
    is_letter: Judge
    common: frozenset[str] = frozenset()
    is_latin: bool = False
    is_alphabet: bool = False
    """Whether no letter stands beside a Latin one."""


def legacy_encoding(content: bytes) -> str | None:
    """The encoding of a text that begins so and is no Unicode; None: no language fits."""
    sample = _telling_lines(content)
    best, found = _LEAST, None
    for candidate in _candidates():
        try:
            text = codecs.getincrementaldecoder(candidate.encoding)().decode(sample)
        except UnicodeDecodeError:
            continue
        score = _score(text, candidate)
        if score > best + 1e-9:
            best, found = score, candidate.encoding
    return found


def _telling_lines(content: bytes) -> bytes:
    """Lines that have more than ASCII. No encoding has a line end within a character."""
    lines: list[bytes] = []
    size = 0
    for line in content.splitlines(keepends=True):
        if not line.isascii():
            lines.append(line[:SAMPLE_BYTES])
            size += len(lines[-1])
            if size > SAMPLE_BYTES:
                break
    return b"".join(lines)[:SAMPLE_BYTES]


def _score(text: str, candidate: _Candidate) -> float:
    """At most 1 for letters of a language; above that for common ones, where these tell."""
    good = bad = common = 0
    for at, character in enumerate(text):
        if character.isascii():
            continue
        before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
        if candidate.is_letter(character) and not _is_stray(before, character, after, candidate):
            good += 1
            common += character in candidate.common
        elif character not in _SIGNS or _is_misplaced(before, character, after):
            bad += 1
    if not good:
        # Signs alone, where each may stand: other encodings have letters in their place.
        return _SIGNS_ALONE if bad == 0 and candidate.encoding == _WESTERN[0] else -1.0
    share = (good - 2 * bad) / (good + bad)
    return share + (common / good if candidate.common else 0) / 2


def _is_stray(before: str, character: str, after: str, candidate: _Candidate) -> bool:
    """Whether a letter stands in a word that it does not fit into."""
    if character.isupper() and before.islower():
        return True
    if candidate.is_latin:
        return False
    beside = (_is_ascii_letter(before), _is_ascii_letter(after))
    return any(beside) if candidate.is_alphabet else all(beside)


def _is_misplaced(before: str, sign: str, after: str) -> bool:
    """Whether a sign stands where only a letter can."""
    if sign in _AFTER_WORDS and after.isalpha():
        return True
    return before.isalpha() and after.isalpha() and sign not in _WITHIN_WORDS


def _is_ascii_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


@cache
def _candidates() -> tuple[_Candidate, ...]:
    return tuple(_each_candidate())


def _each_candidate() -> Iterator[_Candidate]:
    for letters, encodings in _LATIN:
        both = frozenset(letters + letters.upper())
        yield from (_Candidate(each, both.__contains__, is_latin=True) for each in encodings)
    for letters, common, encodings in _ALPHABETS:
        both = frozenset(letters + letters.upper())
        yield from (
            _Candidate(each, both.__contains__, frozenset(common), is_alphabet=True)
            for each in encodings
        )
    yield _Candidate("cp874", _between("ก", "๛"))
    japanese, korean, chinese = (
        frozenset(_COMMON[name]) for name in ("Japanese", "Korean", "Chinese")
    )
    kana = frozenset(map(chr, range(0x3041, 0x30FF)))
    is_japanese = _in_plane("euc_jp", 0xA4, 0xCF)
    yield _Candidate("cp932", is_japanese, japanese | kana)
    yield _Candidate("cp932", _between("･", "ﾟ"))
    yield _Candidate("gb18030", _in_plane("gb2312", 0xB0, 0xD7), chinese)
    yield _Candidate("cp949", _in_plane("euc_kr", 0xB0, 0xC8), korean)
    yield _Candidate("big5", _in_plane("big5", 0xA4, 0xC6), chinese)
    yield _Candidate("euc_jp", is_japanese, japanese | kana)


def _between(first: str, last: str) -> Judge:
    return lambda character: first <= character <= last


def _in_plane(encoding: str, first: int, last: int) -> Judge:
    """Whether a character is one of the usual ones, which a standard has in rows of their own."""

    @cache
    def is_usual(character: str) -> bool:
        try:
            lead = character.encode(encoding)[0]
        except UnicodeEncodeError:
            return False
        return first <= lead <= last

    return is_usual
