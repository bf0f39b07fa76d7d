"""The core of searches over a warehouse, as a query service has it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_query.calls.base import HELD_BYTES
from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.changes.held import Held
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.column_cache.scope_columns import HeldColumns, ScopeColumns
from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.runs.document_cache import DocumentCache
from fleetlog_query.runs.documents import Documents
from fleetlog_query.search.documents import PageDocuments
from fleetlog_query.search.search import Searcher
from fleetlog_query.sql.branches import BranchedNamespaces
from fleetlog_query.warehouse.cancellable import CancellableWarehouse


@dataclass(frozen=True)
class Searching:
    """A searcher that signs with `key`, and the documents beside it."""

    searcher: Searcher
    documents: Documents
    page_documents: PageDocuments


def searching(
    warehouse: Warehouse, clock: Callable[[], float] = time.time, held_bytes: int = HELD_BYTES
) -> Searching:  # fmt: skip
    """Over a warehouse. No held bytes: by statements alone."""
    cancellable = CancellableWarehouse(warehouse)
    branches = BranchedNamespaces(cancellable).tables
    positions, changed_runs = AppliedPositions(cancellable), ChangedRuns(cancellable)
    documents = Documents(cancellable, branches, DocumentCache(positions, changed_runs, HELD_BYTES))
    columns: HeldColumns = Held(ScopeColumns, positions, changed_runs, held_bytes)
    reader = PageReader(cancellable, changed_runs, columns, documents)
    page_documents = PageDocuments(documents, changed_runs)
    searcher = Searcher([b"key"], positions, changed_runs, reader, page_documents, branches, clock)
    return Searching(searcher, documents, page_documents)
