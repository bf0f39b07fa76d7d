"""Which runs and experiments a request shows, by whether they are deleted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.schema import PURGED, SUPERSEDED
from fleetlog_proto.v1 import scope_pb2


class DeletedView(Enum):
    """The value is the condition on `deleted`, behind others. What is purged is in none, and
    what was rewound in one of its own."""

    ACTIVE = " AND deleted = 0"
    DELETED = " AND deleted = 1"
    ALL = f" AND deleted < {PURGED}"
    SUPERSEDED = f" AND deleted = {SUPERSEDED}"

    @classmethod
    def of(cls, number: int) -> DeletedView:
        """View of a request; what is not said, or not known here, are those that are not deleted."""
        return _VIEWS.get(number, cls.ACTIVE)

    @property
    def sql(self) -> str:
        """Condition that it adds to one on rows of `runs`."""
        return str(self.value)

    def shows(self, deleted: bool) -> bool:
        """True if it shows one that is deleted, or one that is not."""
        if self is DeletedView.SUPERSEDED:
            return False
        return self is DeletedView.ALL or deleted == (self is DeletedView.DELETED)

    def mask(self, deleted: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """True for each of many that it shows, by what their rows say."""
        if self is DeletedView.ALL:
            shown: npt.NDArray[np.bool_] = deleted < PURGED
        elif self is DeletedView.SUPERSEDED:
            shown = deleted == SUPERSEDED
        else:
            shown = deleted == (self is DeletedView.DELETED)
        return shown


_VIEWS: Mapping[int, DeletedView] = {
    scope_pb2.DELETED_VIEW_DELETED: DeletedView.DELETED,
    scope_pb2.DELETED_VIEW_ALL: DeletedView.ALL,
    scope_pb2.DELETED_VIEW_SUPERSEDED: DeletedView.SUPERSEDED,
}
