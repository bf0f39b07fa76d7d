"""The one promise of everything that logs: whatever it is given, training goes on, and what was lost is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")


class Telling(Protocol):
    """What counts its losses and warns of them."""

    def _lost(self, what: str, error: Exception, points: int = 0) -> None:
        """Count what was not logged and warn of it. Must not raise."""
        ...


T = TypeVar("T", bound=Telling)


def never_raises(method: Callable[Concatenate[T, P], None]) -> Callable[Concatenate[T, P], None]:
    """Decorator of a method that logs: an error, whichever it is, is counted and warned about instead.

    KeyboardInterrupt, SystemExit and their kin go through: they are not about what was logged.
    """

    @wraps(method)
    def guarded(self: T, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # training goes on whatever was logged
            self._lost(method.__name__, error)

    return guarded
