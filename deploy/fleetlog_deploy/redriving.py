"""`fleetlog log redrive`: dead letters, sent again."""

from __future__ import annotations

import sys

from fleetlog_core.log.port import LogUnavailable, RecordsGone
from fleetlog_ingest.redriving import redrive

from fleetlog_deploy.log_copy import Refused, opened_log


def redrive_data(place: str) -> int:
    """The exit code: 0 done, 1 otherwise."""
    try:
        with opened_log(place) as log:
            done = redrive(log)
    except (Refused, ValueError, LogUnavailable, RecordsGone) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        return 1
    print(f"{done.records:,} dead letters sent again; {done.unreadable:,} can't be read and stay where they are")
    return 0
