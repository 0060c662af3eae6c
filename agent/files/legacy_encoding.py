"""Detects encodings from before Unicode by the letters of the languages that use them.

A statistical library needs more text than a table of prices has: charset-normalizer takes Polish
for Spanish with odd signs, and Chinese for Korean. Letters that a language lacks, signs in the
middle of words, and the frequency of each letter are better evidence. The library is only asked
where no language fits.
"""

# ruff: noqa: RUF001 - letters and signs of many scripts are meant
from __future__ import annotations

import codecs
import math
from collections.abc import Callable, Iterator, Mapping
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

_AFTER_WORDS: Final = frozenset("ªº¹²³›÷×")
"""Signs that no letter follows."""

_POWERS: Final = frozenset("¹²³")
"""Signs that follow figures and units: `m³`."""

_WESTERN: Final = ("cp1252", "iso8859_15", "mac_roman", "cp850")
_CENTRAL: Final = ("cp1250", "iso8859_2", "cp852")
_BALTIC: Final = ("cp1257",)
_TURKISH: Final = ("cp1254", "cp857")
_LATIN: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("üäößé", _WESTERN),
    ("éàèêôîçâïùûœëæü", _WESTERN),
    ("óáíúéñü", _WESTERN),
    ("ãçáíéóúõêâôàü", _WESTERN),
    ("èàòùéìíóú", _WESTERN),
    ("äöåé", _WESTERN),
    ("æøåéöäü", _WESTERN),
    ("éëïáóèüöí", _WESTERN),
    ("óàéíèòçúïü", _WESTERN),
    ("íáðóúæýöþé", ("cp1252",)),
    ("łżąęśóćńź", _CENTRAL),
    ("íářčéýžěšůúóňťď", _CENTRAL),
    ("áčíýúéťžľšóôňäĺďŕ", _CENTRAL),
    ("áéíóöőüúű", _CENTRAL),
    ("čšćžđ", _CENTRAL),
    ("ăţşîâ", _CENTRAL),
    ("ışçüğö\u0307âîû", _TURKISH),
    ("šėųįžąčūę", _BALTIC),
    ("āēīšļūņķžģč", _BALTIC),
    ("äõüöšž", _BALTIC),
)
"""Letters of a language besides ASCII in lower case, usual ones first, and its encodings. The order
is that of GNU and GNOME programs' translations."""

_CYRILLIC: Final = ("cp1251", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")
_ALPHABETS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("оеаинтсрвлкпдмуязьыйбчгжфцхюшщэёъ№", _CYRILLIC),
    ("аониевтрікслдпумзябьйчгжцєхфшюїщґ", _CYRILLIC),
    ("аениотрсвдпкзлмъябучгйжфцшщхюьэы", ("cp1251", "cp866")),
    ("аеионртскупдвмзјлбгњшчцљжћхфђџќѓѕ", ("cp1251", "iso8859_5")),
    ("αοετινρσμηπκυςλίδγέήόάχωθφύβώξζψϊϋΐΰ", ("cp1253", "iso8859_7")),
    ("יותהלמראנבשקפסדגעטםחכןצזךץף", ("cp1255",)),
    ("اليمرتوةنفدسبعحكقصجأطهخشإغذّزضىثئءظؤًُِآپچژگ", ("cp1256",)),
)
"""Letters of other alphabets in the same order, and encodings."""

_CHARACTER: Final = 0.2
"""The weight of a usual character of Chinese, Japanese or Korean."""

_THAI: Final = "ารอ่กมนเ้งดัลีตบิยสแวไขทหคจปพ์ะูชืำใโุถฟซึษณๆญศผธฉภฐฎฏฌฆฝฮฑฒฬฤ็๊๋ฯ"
_HEBREW_FINALS: Final = frozenset("םןףץך")
"""Letters that end a word."""

_RARE: Final = {
    "cp1250": 0.06,
    "cp1254": 0.08,
    "cp1257": 0.08,
    "iso8859_15": 0.05,
    "iso8859_2": 0.1,
    "iso8859_7": 0.05,
    "koi8_u": 0.05,
    "cp866": 0.05,
    "cp850": 0.1,
    "cp852": 0.16,
    "cp857": 0.18,
    "mac_roman": 0.1,
    "iso8859_5": 0.2,
    "mac_cyrillic": 0.2,
}
"""Penalties of encodings that fewer people use."""

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
"""The lowest score at which an encoding is accepted."""

_SIGNS_ALONE: Final = 1.3
_CAPITAL: Final = 0.6
"""How much capitals after capitals count against small letters."""

_BESIDE_A_LETTER: Final = 0.5
"""How much a sign beside a letter counts: it may be a letter of another encoding."""

Judge = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Candidate:
    encoding: str
    is_letter: Judge
    weights: Mapping[str, float]
    """How usual letters are: at most 1 for the most usual one."""

    is_latin: bool = False
    is_alphabet: bool = False
    """Whether no letter stands beside a Latin one."""

    least: float = 0.0
    """The weight of other letters."""


def legacy_encoding(content: bytes) -> str | None:
    """The encoding of a text that begins so and is no Unicode; None: no language fits."""
    sample = _telling_lines(content)
    best, found = _LEAST, None
    for candidate in _candidates():
        try:
            decoder = codecs.getincrementaldecoder(candidate.encoding)()
            text = decoder.decode(sample)
        except UnicodeDecodeError:
            continue
        score = _score(text, candidate, is_cut=bool(decoder.getstate()[0]))
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


def _score(text: str, candidate: _Candidate, *, is_cut: bool) -> float:
    """At most 1 for letters of a language, and 0.5 more for usual ones."""
    good = beside = 0
    bad = int(is_cut)
    weight = 0.0
    for at, character in enumerate(text):
        if character.isascii():
            continue
        before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
        if candidate.is_letter(character):
            if _is_stray(before, character, after, candidate):
                bad += 1
            elif not candidate.is_alphabet or before.isalpha() or after.isalpha():
                # Else it is a word of one letter, which other encodings have as a sign.
                good += 1
                usual = candidate.weights.get(character.lower(), candidate.least)
                is_capital = candidate.is_alphabet and before.isupper() and character.isupper()
                weight += usual * (_CAPITAL if is_capital else 1)
        elif character not in _SIGNS or _is_misplaced(before, character, after):
            bad += 1
        elif before.isalpha() or after.isalpha():
            beside += 1
    if not good:
        # Signs alone, where each may stand: other encodings have letters in their place.
        return _SIGNS_ALONE if bad == 0 and candidate.encoding == _WESTERN[0] else -1.0
    share = (good - 2 * bad) / (good + bad + _BESIDE_A_LETTER * beside)
    return share + weight / good / 2 - _RARE.get(candidate.encoding, 0.0)


def _is_stray(before: str, character: str, after: str, candidate: _Candidate) -> bool:
    """Whether a letter stands in a word that it does not fit into."""
    if character.isupper() and before.islower():
        return True
    if candidate.is_latin:
        return False
    if character in _HEBREW_FINALS and candidate.is_letter(after):
        return True
    near = (_is_ascii_letter(before), _is_ascii_letter(after))
    return any(near) if candidate.is_alphabet else all(near)


def _is_misplaced(before: str, sign: str, after: str) -> bool:
    """Whether a sign stands where only a letter can."""
    if sign in _AFTER_WORDS and after.isalpha():
        return True
    if sign in _POWERS and before.isalpha() and before not in "mM":
        return True
    return before.isalpha() and after.isalpha() and sign not in _WITHIN_WORDS


def _is_ascii_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


@cache
def _candidates() -> tuple[_Candidate, ...]:
    return tuple(_each_candidate())


def _each_candidate() -> Iterator[_Candidate]:
    for letters, encodings in _LATIN:
        yield from _of_alphabet(letters, encodings, is_latin=True)
    for letters, encodings in _ALPHABETS:
        yield from _of_alphabet(letters, encodings, is_latin=False)
    japanese, korean, chinese = (
        dict.fromkeys(_COMMON[name], 1.0) for name in ("Japanese", "Korean", "Chinese")
    )
    japanese |= dict.fromkeys(map(chr, range(0x3041, 0x30FF)), 1.0)
    is_japanese = _in_plane("euc_jp", 0xA4, 0xCF)
    yield from (
        _Candidate(encoding, is_usual, weights, least=_CHARACTER)
        for encoding, is_usual, weights in (
            ("cp932", is_japanese, japanese),
            ("gb18030", _in_plane("gb2312", 0xB0, 0xD7), chinese),
            ("cp949", _in_plane("euc_kr", 0xB0, 0xC8), korean),
            ("big5", _in_plane("big5", 0xA4, 0xC6), chinese),
            ("euc_jp", is_japanese, japanese),
        )
    )
    yield _Candidate("cp932", _between("･", "ﾟ"), {})
    yield from _of_alphabet(_THAI, ("cp874",), is_latin=False)


def _of_alphabet(
    letters: str, encodings: tuple[str, ...], *, is_latin: bool
) -> Iterator[_Candidate]:
    both = frozenset(letters + letters.upper())
    weights = _weights(letters)
    for each in encodings:
        yield _Candidate(each, both.__contains__, weights, is_latin, not is_latin)


def _weights(letters: str) -> Mapping[str, float]:
    """The logarithm of a letter's share, which falls with its rank (Zipf), as 0 to 1."""
    ranks = range(2, len(letters) + 2)
    total = sum(1 / rank for rank in ranks)
    return {
        letter: max(0.0, 1 - math.log10(rank * total) / 2)
        for rank, letter in zip(ranks, letters, strict=True)
    }


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
