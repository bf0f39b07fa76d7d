"""Ids of runs that were made elsewhere: the same for the same run each time it is imported."""

from __future__ import annotations

from hashlib import blake2b

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.ids import new_run_id, parse_id

SOURCE_ID, SOURCE_PARENT = "source_run_id", "source_parent_run_id"
"""Tags that keep the ids that runs had where they come from, when those are none of ours."""


def own_id(source: object) -> bytes | None:
    """Returns the id when it is one of ours, a UUIDv7."""
    try:
        run_id = parse_id(str(source))
    except InvalidArgument:
        return None
    return run_id if run_id[6] >> 4 == 7 else None


def run_id_of(source: object, start_millis: int) -> bytes:
    """Returns the source's id when it is one of ours, or else one of the start and a hash of the source's."""
    return own_id(source) or new_run_id(start_millis, blake2b(str(source).encode(), digest_size=10).digest())
