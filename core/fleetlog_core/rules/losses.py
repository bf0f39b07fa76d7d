"""Reasons of what a client lost: few and short, whoever made them up. Pure."""

from __future__ import annotations

import re

from fleetlog_core import limits

OTHER = "OTHER"
"""The reason of losses whose own reason is one too many, or is none."""
_REASON = re.compile(r"[A-Z][A-Z0-9_]*")


def is_reason(text: str) -> bool:
    """True if the text is a reason such as BUFFER_FULL, of at most 64 characters."""
    return len(text) <= limits.REASON_CHARACTERS and _REASON.fullmatch(text) is not None


def loss_reason(reason: str, told: set[str]) -> str:
    """The reason that a loss is told under, OTHER when `told` has 64 others already; it is in `told` afterwards."""
    if reason not in told:
        if not is_reason(reason) or len(told) >= limits.LOSS_REASONS:
            return OTHER
        told.add(reason)
    return reason
