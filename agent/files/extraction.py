"""Extracts the content of a PDF, a picture or a text, in a process of its own.

`-m agent.files.extraction KIND BOUND` reads a file from standard input: `pdf CHARACTERS` and
`text CHARACTERS` write text in UTF-8 to standard output, `image PIXELS` a JPEG whose longer side
has so many pixels at most. Exit status 1: it cannot be read.

A file may be made to take all memory or time, or to exploit a library. The process has none of the
worker's environment, and only the rights that confinement.py leaves.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import pkgutil
import sys
from collections.abc import Callable
from typing import BinaryIO, Final

from agent.files.confinement import confine
from agent.files.text_encoding import decoded

MAX_PAGES: Final = 500
MAX_PIXELS: Final = 50_000_000
"""Pixels of a picture as it was sent; a decompression bomb declares more. 200 MB at four bytes
each."""

MAX_PDF_PREFIX: Final = 1_024
"""Bytes before `%PDF-` that readers forgive."""

UNREADABLE: Final = 1
JPEG_QUALITY: Final = 85

_PICTURES: Final = ("PNG", "JPEG", "GIF", "WEBP")
_PIL: Final = (
    *("ImageOps", "ImageColor", "ImageFile", "ImagePalette", "ImageChops", "ImageSequence"),
    *("PngImagePlugin", "JpegImagePlugin", "JpegPresets", "GifImagePlugin", "WebPImagePlugin"),
    *("MpoImagePlugin", "TiffImagePlugin", "TiffTags", "BmpImagePlugin", "PpmImagePlugin"),
    *("ExifTags", "ImageMode", "ImageFilter", "ImageCms"),
)
"""Modules that those pictures need; some other parts of Pillow have effects when imported."""

_PACKAGES: Final = {"pdf": "pypdf", "image": "PIL", "text": "charset_normalizer"}
_ENCODINGS: Final = (
    *("ascii", "latin_1", "charmap", "mac_roman", "cp1250", "cp1251", "cp1252", "cp1253"),
    *("cp1254", "cp1255", "cp1256", "cp1257", "cp874", "cp850", "cp852", "cp857", "cp866"),
    *("iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15", "mac_cyrillic", "koi8_r", "koi8_u"),
    *("utf_8_sig", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"),
    *("cp932", "shift_jis", "euc_jp", "iso2022_jp", "gb2312", "gbk", "gb18030", "big5", "cp949"),
    *("euc_kr", "unicode_escape"),
)
"""Python imports an encoding when it is first used, and nothing can be imported by then."""


def main(arguments: list[str]) -> int:
    """Runs the extraction; returns the exit status."""
    kind, bound = arguments[0], int(arguments[1])
    extract: Callable[[BinaryIO, int], bytes] = {
        "pdf": pdf_text,
        "image": small_image,
        "text": plain_text,
    }[kind]
    import_all(_PACKAGES[kind])
    confine()
    try:
        found = extract(sys.stdin.buffer, bound)
    except Exception as error:
        # The boundary of large libraries, in a process that ends here.
        print(type(error).__name__, file=sys.stderr)  # noqa: T201 - for the one who waits for it
        return UNREADABLE
    sys.stdout.buffer.write(found)
    return 0


def import_all(package: str) -> None:
    """Imports the parts of a package that it would import as it goes, and encodings."""
    found = importlib.import_module(package)
    if package == "PIL":
        names = ["copy", *(f"PIL.{each}" for each in _PIL)]
    else:
        names = [each.name for each in pkgutil.walk_packages(found.__path__, f"{package}.")]
    for name in (*names, *(f"encodings.{each}" for each in _ENCODINGS)):
        if not name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # Parts for packages that are not installed.
                importlib.import_module(name)


def plain_text(file: BinaryIO, max_characters: int) -> bytes:
    """A text in whatever encoding; four bytes are the longest character."""
    text = decoded(file.read(4 * max_characters + 4))
    return text[: max_characters + 1].encode(errors="replace")


def pdf_text(file: BinaryIO, max_characters: int) -> bytes:
    """The text of a PDF, page after page, until it is enough."""
    from pypdf import PdfReader  # noqa: PLC0415 - one process needs one of the libraries

    head = file.read(MAX_PDF_PREFIX + len(b"%PDF-"))
    start = max(head.find(b"%PDF-"), 0)
    file.seek(0)
    # The offsets in a PDF count from its beginning.
    source = io.BytesIO(file.read()[start:]) if start else file
    parts: list[str] = []
    size = 0
    for page in PdfReader(source).pages[:MAX_PAGES]:
        text = page.extract_text()
        parts.append(text)
        size += len(text)
        if size > max_characters:
            break
    return "\n\n".join(parts)[: max_characters + 1].encode(errors="replace")


def small_image(file: BinaryIO, max_side: int) -> bytes:
    """A picture as a JPEG of bounded size, without metadata."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - one process needs one of the libraries

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice as many
    with Image.open(file, formats=_PICTURES) as image:
        image.draft("RGB", (max_side, max_side))
        # Shrunk first: each later step would copy all of its pixels otherwise.
        image.thumbnail((max_side, max_side))
        small = ImageOps.exif_transpose(image).convert("RGBA")
        white = Image.new("RGBA", small.size, "white")
        white.alpha_composite(small)
        target = io.BytesIO()
        white.convert("RGB").save(target, "JPEG", quality=JPEG_QUALITY)
    return target.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
