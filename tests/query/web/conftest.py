from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.query.web.http import Http


@pytest.fixture
def http(embedded_web: int) -> Iterator[Http]:
    """A connection to the embedded server's HTTP port."""
    connection = Http(embedded_web)
    yield connection
    connection.close()
