"""Files of text as other tools write them: compressed or not, in any encoding that is named."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path
from typing import IO, TextIO, cast

COMPRESSED = ".gz"


def suffix_of(path: Path) -> str:
    """The suffix that says what is in the file: of `runs.csv.gz` it is `.csv`."""
    inner = path.with_suffix("") if path.suffix.lower() == COMPRESSED else path
    return inner.suffix.lower()


def open_bytes(path: Path) -> IO[bytes]:
    """The content of a file, uncompressed."""
    if path.suffix.lower() == COMPRESSED:
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path, encoding: str | None = None) -> TextIO:
    """The text of a file with its line ends as they are. LookupError: there is no such encoding.

    Without an encoding it is UTF-8, or UTF-16 where a byte order mark says so.
    """
    if encoding is None:
        with open_bytes(path) as file:
            is_wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        encoding = "utf-16" if is_wide else "utf-8-sig"
    codecs.lookup(encoding)
    if path.suffix.lower() == COMPRESSED:
        return cast(TextIO, gzip.open(path, "rt", encoding=encoding, newline=""))
    return path.open(newline="", encoding=encoding)
