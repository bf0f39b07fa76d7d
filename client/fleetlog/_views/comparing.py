"""Runs side by side: in which params and tags they differ, and their metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from fleetlog._values.arguments import choice
from fleetlog._values.params import Value
from fleetlog._views.views import RunView

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Of = Literal["last", "min", "max", "mean", "first"]
"""Which number of a metric is compared."""
OF: tuple[Of, ...] = ("last", "min", "max", "mean", "first")


class Comparison:
    """What each run has of a key, in the order of the runs; None where it has nothing.

    `params` and `tags` hold only keys in which the runs differ, `metrics` every key that one of them has.
    """

    def __init__(self, runs: Sequence[RunView], of: Of = "last") -> None:
        """`of` other than "last" needs runs that were read with summaries. InvalidArgument."""
        choice("of", of, dict.fromkeys(OF))
        self.runs = list(runs)
        self.of = of
        self.params: dict[str, list[Value | None]] = _differing([run.params for run in self.runs])
        self.tags: dict[str, list[str | None]] = _differing([run.tags for run in self.runs])
        self.metrics: dict[str, list[float | None]] = _all([_numbers(run, of) for run in self.runs])

    def __repr__(self) -> str:
        return (
            f"<fleetlog.Comparison of {len(self.runs)} runs: {len(self.params)} params and {len(self.tags)} tags"
            f" differ, {len(self.metrics)} metrics>"
        )

    @property
    def differences(self) -> dict[str, list[Value | None]]:
        """Everything in which the runs differ: params.x, tags.y, metrics.z."""
        groups: dict[str, Mapping[str, Sequence[Value | None]]] = {
            "params": self.params, "tags": self.tags, "metrics": self.metrics,
        }  # fmt: skip
        return {
            f"{group}.{key}": list(values)
            for group, found in groups.items()
            for key, values in found.items()
            if _differ(values)
        }

    def best(self, metric: str, *, maximize: bool = False) -> RunView:
        """The run with the lowest number of a metric, or the highest; NaN is neither. KeyError, ValueError."""
        numbers = [(value, place) for place, value in enumerate(self.metrics[metric]) if value is not None]
        known = [(value, place) for value, place in numbers if value == value]
        if not known:
            raise ValueError(f"no run has a number of {metric}")
        chosen = max(known, key=lambda one: (one[0], -one[1])) if maximize else min(known)
        return self.runs[chosen[1]]

    def to_pandas(self) -> pd.DataFrame:
        """A row a run: run_id, name, the params and tags that differ, and all metrics."""
        import pandas

        rows = [
            {
                "run_id": run.id,
                "name": run.name,
                **{f"params.{key}": values[place] for key, values in self.params.items()},
                **{f"tags.{key}": values[place] for key, values in self.tags.items()},
                **{f"metrics.{key}": values[place] for key, values in self.metrics.items()},
            }
            for place, run in enumerate(self.runs)
        ]
        return pandas.DataFrame(rows)


def _numbers(run: RunView, of: Of) -> Mapping[str, float]:
    if of == "last":
        return run.metrics
    return {key: float(getattr(run.summary(key), of)) for key in run.metrics}


def _all(sides: Sequence[Mapping[str, T]]) -> dict[str, list[T | None]]:
    keys = sorted({key for side in sides for key in side})
    return {key: [side.get(key) for side in sides] for key in keys}


def _differing(sides: Sequence[Mapping[str, T]]) -> dict[str, list[T | None]]:
    return {key: values for key, values in _all(sides).items() if _differ(values)}


def _differ(values: Sequence[object]) -> bool:
    # As they are written: NaN is the same as NaN, and 1 is not "1", 1.0 or True.
    return len({repr(value) for value in values}) > 1
