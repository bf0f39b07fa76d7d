"""Who runs this process."""

from __future__ import annotations

import getpass
import os
from functools import lru_cache


def current_user() -> str:
    """The name of the user of the process; "" where nobody knows it."""
    return _user_of(os.getpid())


@lru_cache(maxsize=1)
def _user_of(pid: int) -> str:
    """Asked once by each process: it may read files, and a forked child may have become another user."""
    try:
        return getpass.getuser()[:200]
    except (KeyError, OSError, ImportError):
        return ""
