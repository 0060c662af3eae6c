"""What is in a PDF or a picture, taken out by a process of its own: `-m agent.files.extraction`.

What people send may be made to take all memory or time. The process has bounds of its own (man 2
setrlimit), no settings and no secrets, and is ended when it takes too long.

`pdf PATH CHARACTERS` writes text in UTF-8 to standard output, `image PATH PIXELS` a JPEG whose
longer side has so many pixels at most. Exit status 1: it cannot be read.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Final

MEMORY_BYTES: Final = 1_000_000_000
CPU_SECONDS: Final = 15
MAX_PAGES: Final = 500
MAX_PIXELS: Final = 50_000_000
"""Of a picture as it was sent; a bomb says more."""

UNREADABLE: Final = 1
JPEG_QUALITY: Final = 85


def main(arguments: list[str]) -> int:
    """Does it; returns the exit status."""
    kind, path, bound = arguments[0], arguments[1], int(arguments[2])
    _bound_itself()
    extract: Callable[[str, int], bytes] = {"pdf": pdf_text, "image": small_image}[kind]
    try:
        found = extract(path, bound)
    except Exception as error:
        # The boundary of two large libraries, in a process that ends here.
        print(type(error).__name__, file=sys.stderr)  # noqa: T201 - for the one who waits for it
        return UNREADABLE
    sys.stdout.buffer.write(found)
    return 0


def pdf_text(path: str, max_characters: int) -> bytes:
    """The text of a PDF, page after page, until it is enough."""
    from pypdf import PdfReader  # noqa: PLC0415 - one process needs one of the two

    parts: list[str] = []
    size = 0
    for page in PdfReader(path).pages[:MAX_PAGES]:
        text = page.extract_text()
        parts.append(text)
        size += len(text)
        if size > max_characters:
            break
    return "\n\n".join(parts)[: max_characters + 1].encode(errors="replace")


def small_image(path: str, max_side: int) -> bytes:
    """A picture as a JPEG that is not larger than it need be, without what else it carries."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - one process needs one of the two

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # from twice of which on Pillow refuses
    with Image.open(path, formats=("PNG", "JPEG", "GIF", "WEBP")) as opened:
        opened.draft("RGB", (max_side, max_side))
        image = ImageOps.exif_transpose(opened)
        image.thumbnail((max_side, max_side))
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        target = io.BytesIO()
        white.convert("RGB").save(target, "JPEG", quality=JPEG_QUALITY)
    return target.getvalue()


def _bound_itself() -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
