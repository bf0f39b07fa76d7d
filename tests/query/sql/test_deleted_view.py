"""One view says the same of a flag, of a column and in SQL; none shows what is purged."""

from __future__ import annotations

import numpy as np
import pytest
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_proto.v1 import scope_pb2
from fleetlog_query.sql.deleted_view import DeletedView


@pytest.mark.parametrize(
    ("number", "shown", "sql"),
    [
        (scope_pb2.DELETED_VIEW_UNSPECIFIED, [False], " AND deleted = 0"),
        (scope_pb2.DELETED_VIEW_ACTIVE, [False], " AND deleted = 0"),
        (scope_pb2.DELETED_VIEW_DELETED, [True], " AND deleted = 1"),
        (scope_pb2.DELETED_VIEW_ALL, [False, True], " AND deleted < 2"),
        (99, [False], " AND deleted = 0"),
    ],
)
def test_a_view_shows_the_same_everywhere(number: int, shown: list[bool], sql: str) -> None:
    view = DeletedView.of(number)
    assert [one for one in (False, True) if view.shows(one)] == shown
    flags = np.array([0, 1, PURGED], np.uint8)
    assert flags[view.mask(flags)].tolist() == shown
    assert view.sql == sql
