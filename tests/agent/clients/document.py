"""The examples in the documents, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent.parent / "docs"

_HEADING_OR_CODE = re.compile(
    r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)


def examples(document: str, language: str) -> dict[str, list[str]]:
    """The blocks of code of one language in a document, by the heading that they stand under.

    Args:
        document: file name within docs/.
        language: what stands behind the opening fence, `js` or `python`.
    """
    found: dict[str, list[str]] = {}
    heading = ""
    for match in _HEADING_OR_CODE.finditer((DOCS / document).read_text()):
        if match["heading"]:
            heading = match["heading"]
        elif match["language"] == language:
            found.setdefault(heading, []).append(match["code"])
    return found
