"""PlaceName: a city as people write it, with the state or country that they add."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_QUALIFIER_WORDS = 3
"""Words at the end of a name without commas that are tried as a state or country."""

_COMMAS: Final = re.compile(r"[,;，、]")  # noqa: RUF001 - those of Chinese and Japanese, too
_NO_WORDS: Final = re.compile(r"[^\w\s]|\d")

_ABBREVIATIONS: Final[Mapping[str, str]] = {
    name.partition(" ")[0]: name.partition(" ")[2]
    for name in (
        # States of the USA.
        *("al alabama", "ak alaska", "az arizona", "ar arkansas", "ca california", "co colorado"),
        *("ct connecticut", "de delaware", "dc district of columbia", "fl florida", "ga georgia"),
        *("hi hawaii", "id idaho", "il illinois", "in indiana", "ia iowa", "ks kansas"),
        *("ky kentucky", "la louisiana", "me maine", "md maryland", "ma massachusetts"),
        *("mi michigan", "mn minnesota", "ms mississippi", "mo missouri", "mt montana"),
        *("ne nebraska", "nv nevada", "nh new hampshire", "nj new jersey", "nm new mexico"),
        *("ny new york", "nc north carolina", "nd north dakota", "oh ohio", "ok oklahoma"),
        *("or oregon", "pa pennsylvania", "ri rhode island", "sc south carolina"),
        *("sd south dakota", "tn tennessee", "tx texas", "ut utah", "vt vermont", "va virginia"),
        *("wa washington", "wv west virginia", "wi wisconsin", "wy wyoming", "pr puerto rico"),
        # Provinces of Canada.
        *("ab alberta", "bc british columbia", "mb manitoba", "nb new brunswick"),
        *("nl newfoundland and labrador", "ns nova scotia", "nt northwest territories"),
        *("nu nunavut", "on ontario", "pe prince edward island", "qc quebec", "sk saskatchewan"),
        "yt yukon",
        # States of Australia whose abbreviations are not in use above.
        *("nsw new south wales", "qld queensland", "tas tasmania", "vic victoria"),
        *("act australian capital territory",),
        # Countries, by other names than the service's.
        *("usa united states", "uk united kingdom", "uae united arab emirates"),
        *("america united states", "britain united kingdom", "holland netherlands"),
        *("unitedstatesofamerica united states", "greatbritain united kingdom"),
        *("korea south korea", "republicofkorea south korea", "czechrepublic czechia"),
        *("russianfederation russia", "republicofireland ireland", "turkiye turkey"),
        *("burma myanmar", "macedonia north macedonia", "swaziland eswatini"),
    )
}


@dataclass(frozen=True, slots=True)
class PlaceName:
    """`San Francisco, CA`: a name to search for, and what the place's regions must be.

    Attributes:
        name: the name of the city alone.
        qualifiers: states, countries and other regions that it is in, as `_plain` gives them.
    """

    name: str
    qualifiers: tuple[str, ...] = ()

    def fits(self, regions: Iterable[str]) -> bool:
        """Whether a place in these regions is meant; their names and codes, in English."""
        known = {_plain(region) for region in regions} - {""}
        return all(
            qualifier in known or _plain(_ABBREVIATIONS.get(qualifier, "")) in known
            for qualifier in self.qualifiers
        )


def readings(text: str) -> Iterator[PlaceName]:
    """The meanings of the text, the likeliest first.

    The text after a comma is a region; without commas the whole is a name, and else the last words
    are a region. The service may know other names of the region: last of all the whole is a name.
    """
    name, *rest = (part.strip() for part in _COMMAS.split(text))
    qualifiers = tuple(plain for part in rest if (plain := _plain(part)))
    if rest:
        yield PlaceName(name, qualifiers)
        if name and qualifiers:
            yield PlaceName(text)
        return
    yield PlaceName(text)
    words = text.split()
    for count in range(1, min(MAX_QUALIFIER_WORDS, len(words) - 1) + 1):
        if qualifier := _plain(" ".join(words[-count:])):
            yield PlaceName(" ".join(words[:-count]), (qualifier,))


def _plain(text: str) -> str:
    """Without case, accents, punctuation, blanks, an article, and numbers, as postal codes.

    `D.C. 20500` is `dc`, and `Île-de-France` the same as `Ile de France`.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in decomposed if not unicodedata.combining(each))
    words = _NO_WORDS.sub("", letters).split()
    return "".join(words[1:] if words[:1] == ["the"] else words)
