"""Open files that the system lets this process have: a connection is one. Systems give 1,024 unless they are asked."""

from __future__ import annotations

MOST = 1 << 20
"""Maximum that is asked for: beyond it some systems keep tables of the whole limit in each process."""


def raise_open_files(wanted: int = MOST) -> int | None:
    """The limit, raised to `wanted`, or as near to it as this process may. None: there is none."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < goal:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
        except (OSError, ValueError):
            # macOS names a hard limit that its kernel does not give.
            return int(soft)
    return int(max(soft, goal))
