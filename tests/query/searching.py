"""The core of searches over a warehouse, as a query service has it."""

from __future__ import annotations

import time
from collections.abc import Callable

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_query.calls.base import HELD_BYTES
from fleetlog_query.changes.changed_runs import Touches
from fleetlog_query.changes.position import Pins
from fleetlog_query.column_cache.frames import Frames
from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.runs.document_cache import DocumentCache
from fleetlog_query.runs.documents import Documents
from fleetlog_query.search.search import Searcher
from fleetlog_query.warehouse.cancellable import CancellableWarehouse


def searching(
    warehouse: Warehouse, clock: Callable[[], float] = time.time, held_bytes: int = HELD_BYTES
) -> tuple[Searcher, Documents]:
    """A searcher that signs with `key`, and the documents beside it. No held bytes: by statements alone."""
    cancellable = CancellableWarehouse(warehouse)
    pins, touches = Pins(cancellable), Touches(cancellable)
    documents = Documents(cancellable, DocumentCache(pins, touches, HELD_BYTES))
    reader = PageReader(cancellable, Frames(pins, touches, held_bytes), documents)
    return Searcher(cancellable, b"key", pins, touches, reader, clock), documents
