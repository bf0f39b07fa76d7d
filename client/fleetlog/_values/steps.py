"""One step's metrics from Python values: every metric by itself, so that a bad one costs no other."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.names import check_key

from fleetlog._values.leaves import PLAIN, leaves
from fleetlog._values.values import LeftOut, Unusable, display, number, text

SEPARATOR = "/"
"""Between the keys of nested metrics: train/loss."""


def to_points(metrics: object) -> tuple[dict[str, float], list[LeftOut]]:
    """A number for each metric, those of nested dicts too, and what could not be one. Unusable: it is no mapping."""
    found: dict[str, float] = {}
    out: list[LeftOut] = []
    for key, value in _items(metrics):
        if isinstance(value, Unusable):
            out.append(LeftOut(key, value.reason, str(value)))
            continue
        try:
            key = text(key)
            if wrong := _wrong_with(key):
                out.append(LeftOut(key, "KEY_INVALID", wrong))
                continue
            real = value if type(value) is float else number(value)
        except Unusable as error:
            said = f"metric {key!r} is not a number: {display(value)}" if error.reason == "NOT_A_NUMBER" else str(error)
            out.append(LeftOut(key, error.reason, said))
        else:
            if key in found:
                out.append(LeftOut(key, "KEY_REPEATED", "it stands twice in one step; the last value is kept"))
            found[key] = real
    return found, out


@lru_cache(maxsize=10_000)
def _wrong_with(key: str) -> str:
    """Why it can't be a key, "" when it can. Remembered: a step with a key that is not valid comes again and again."""
    try:
        check_key(key, "metrics")
    except InvalidArgument as error:
        return error.violations[0].description
    return ""


def _items(metrics: object) -> Iterable[tuple[str, object]]:
    if type(metrics) is dict and all(map(_is_flat, metrics, metrics.values())):
        return metrics.items()
    try:
        return list(leaves(metrics, SEPARATOR, limits.METRICS_PER_RUN))
    except Unusable as error:
        said = f'log({{"loss": 0.5}}, step=10) is how metrics are logged; {error}'
        if isinstance(metrics, str):
            said = (
                f"log({{{display(metrics)}: value}}, step=…) is how a metric is logged: a dict, not a name and a value"
            )
        raise Unusable("METRICS_INVALID", said) from None


def _is_flat(key: object, value: object) -> bool:
    return type(key) is str and (type(value) in PLAIN or hasattr(value, "item"))
