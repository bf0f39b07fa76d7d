from __future__ import annotations

import asyncio
import zlib

import pytest
from fleetlog_query.web.compression import INLINE_BYTES, Gzip, wants_gzip


@pytest.mark.parametrize(
    ("client", "encoding", "wanted"),
    [("127.0.0.1", "gzip", False), ("::1", "gzip", False), ("10.1.2.3", "br, gzip", True), ("10.1.2.3", "br", False)],
)
def test_only_other_machines_get_gzip(client: str, encoding: str, wanted: bool) -> None:
    assert wants_gzip({"client": (client, 1)}, {"accept-encoding": encoding}) is wanted


def test_each_piece_can_be_read_as_soon_as_it_came() -> None:
    async def run() -> None:
        gzip, reading = Gzip(), zlib.decompressobj(31)
        for piece in (b"one", b"x" * (INLINE_BYTES + 1), b"three"):
            assert reading.decompress(await gzip.piece(piece)) == piece
        assert reading.decompress(gzip.end()) == b""
        assert reading.eof

    asyncio.run(run())
