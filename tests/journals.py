"""Where the processes that tests start keep their journals: none is in the folder of whoever runs the tests."""

from __future__ import annotations

import os
import tempfile


def own_journal() -> str:
    """Folder for one process: what another one left would be told of by it."""
    return tempfile.mkdtemp(dir=os.environ["FLEETLOG_JOURNAL"])
