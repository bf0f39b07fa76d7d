"""What the tests of logs forgive the Kafka driver, and no other test does."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_SOCKET = "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """kafka-python 3.0.12: a client closed while it dials another broker leaves that socket to the collector."""
    mark = pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
    )
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(mark)
