"""Rows of metrics: the short way, for what mlflow.log_metrics makes, gives what the long one does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from fleetlog._events.items import Row, Writer
from fleetlog.mlflow_plugin.ledger import WrittenRun
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
NOW = 1_700_000_000_000
KEYS = ["loss", "acc", "lr"]
RUN = WrittenRun(Writer("team", bytes(16), bytes(16), None, "", None, 0), 0)
_metrics = st.lists(
    st.builds(
        Metric, st.sampled_from(KEYS), st.sampled_from([0.5, math.nan, 1, True]), st.sampled_from([NOW, NOW + 1]),
        st.sampled_from([0, 7]), model_id=st.sampled_from([None, None, None, "m-1"]),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def store(*keys: str) -> FleetlogStore:
    """A store that found these keys right; it dials nobody."""
    made = FleetlogStore("fleetlog://nowhere:1/team")
    made._right_keys.update(keys)
    return made


@given(_metrics)
def test_the_short_way_gives_what_the_long_one_does(metrics: Sequence[Metric]) -> None:
    row = store(*KEYS)._plain_row(RUN, metrics)
    plain = (
        len({metric.key for metric in metrics}) == len(metrics)
        and len({(metric.step, metric.timestamp) for metric in metrics}) == 1
        and all(type(metric.value) is float and metric.model_id is None for metric in metrics)
    )
    assert (row is not None) == plain
    if row is not None:
        (other,) = store(*KEYS)._rows(RUN, metrics)
        assert _told(row) == _told(other)


def test_a_key_is_found_right_before_it_takes_the_short_way() -> None:
    fresh, metric = store(), Metric("loss", 0.5, NOW, 0)
    assert fresh._plain_row(RUN, [metric]) is None
    (row,) = fresh._rows(RUN, [metric])
    short = fresh._plain_row(RUN, [metric])
    assert short is not None
    assert _told(short) == _told(row)


@pytest.mark.parametrize(("time", "step"), [(-1, 0), (1 << 60, 0), (NOW, 1 << 63), (NOW, -(1 << 63) - 1), (NOW, 0.0)])
def test_what_is_out_of_range_takes_the_long_way(time: int, step: int) -> None:
    assert store(*KEYS)._plain_row(RUN, [Metric("loss", 0.5, time, step)]) is None


def _told(row: Row) -> str:
    return repr((row.keys, list(row.values), row.step, row.time_millis))
