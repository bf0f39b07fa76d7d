"""The program's trace, told to the server with each call. Only where the program itself uses OpenTelemetry."""

from __future__ import annotations

import sys

Metadata = tuple[tuple[str, str], ...]


def trace_metadata() -> Metadata | None:
    """What a server needs to go on with the trace that is under way; None when there is none."""
    # Not imported by us: who has no trace has not imported it either.
    if "opentelemetry.trace" not in sys.modules:
        return None
    carrier: dict[str, str] = {}
    try:
        from opentelemetry import propagate

        propagate.inject(carrier)
    except Exception:  # propagators are the program's: no call fails for one
        return None
    # gRPC refuses a whole call for a name or a value that a header can't have.
    return tuple((name.lower(), value) for name, value in carrier.items() if f"{name}{value}".isascii()) or None
