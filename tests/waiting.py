"""Waiting for what other threads and processes come to. This is the only place that looks again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")
LOOK_SECONDS = 0.01
MOST_LOOK_SECONDS = 0.1
WAITED_SHARE = 0.1
"""Share of the time waited so far after which it is looked again, between the two above: looks cost the processor that
is waited for, and what took seconds may be seen a tenth of a second late."""
SECONDS = 60.0


def reached(condition: Callable[[], bool], seconds: float = SECONDS, *, closely: bool = False) -> None:
    """Wait until the condition holds; fails when it does not in that time, however slow the machine may be.

    `closely`: it may hold for less than MOST_LOOK_SECONDS.
    """
    assert seen(condition, bool, seconds, closely=closely), "the condition was not reached"


def seen(
    look: Callable[[], Seen], enough: Callable[[Seen], bool], seconds: float = SECONDS, *, closely: bool = False
) -> Seen:
    """What a look found when it was enough, or what the last one found when the time ran out."""
    begun, pause = time.monotonic(), threading.Event()
    while True:
        found, waited = look(), time.monotonic() - begun
        if enough(found) or waited >= seconds:
            return found
        pause.wait(LOOK_SECONDS if closely else min(max(LOOK_SECONDS, WAITED_SHARE * waited), MOST_LOOK_SECONDS))
