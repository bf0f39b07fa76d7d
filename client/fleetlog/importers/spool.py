"""Files that are made when they are opened."""

from __future__ import annotations

from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

_IN_MEMORY = 8 * 1024 * 1024


def spooled(pieces: Iterable[bytes]) -> BinaryIO:
    """A file of these pieces, from its beginning; a large one stands on the disk."""
    spool = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - whoever reads it closes it
    spool.writelines(pieces)
    spool.seek(0)
    return cast(BinaryIO, spool)
