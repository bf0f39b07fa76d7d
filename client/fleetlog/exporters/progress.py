"""How far an export is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Exported:
    """Counts of what was written."""

    runs: int = 0
    points: int = 0
    files: int = 0
    left_out: list[str] = field(default_factory=list)
    """What could not be written, and why."""
