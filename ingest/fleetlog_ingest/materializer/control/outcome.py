"""What became of a request on the control partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """Accepted with its result, or refused with the reason."""

    accepted: bool
    experiment: int = 0
    reason: str = ""
    message: str = ""
    result: str = ""
    """What an intent on the registry made: "MODEL_ID" or "MODEL_ID/NUMBER"; the revisions of documents: "1/4/2"."""
    states: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """What an intent on the registry left of its model: states as texts, by kind and number."""


class Refused(Exception):
    """The intent changes nothing: why, with a stable reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
