"""What became of a request on the control partition."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Accepted with its result, or refused with the reason."""

    accepted: bool
    experiment: int = 0
    reason: str = ""
    message: str = ""
    result: str = ""
    """What an intent on the registry made: "MODEL_ID" or "MODEL_ID/NUMBER"."""
