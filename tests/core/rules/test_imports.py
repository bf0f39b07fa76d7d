"""Tables of runs that are taken and those that are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.limits import RunLimits
from fleetlog_core.rules.imports import check_import
from fleetlog_proto.v1 import event_pb2

from tests.core.rules.refusals import refused

NOW = 1_700_000_000_000
Wrong = Callable[[event_pb2.RunsImported], object]


def table(count: int = 3) -> event_pb2.RunsImported:
    """One with a column of each kind."""
    runs = event_pb2.RunsImported(
        run_ids=b"".join(number.to_bytes(16, "big") for number in range(count)),
        start_times_millis=[NOW] * count,
        states=[event_pb2.RUN_STATE_FINISHED] * count,
    )
    runs.names.texts.extend([f"run {number}" for number in range(count)])
    runs.params.add(key="lr", reals=[0.1] * count)
    runs.params.add(key="mixed", rows=[0], wholes=[1])
    runs.params.add(key="mixed", rows=[1]).texts.texts.append("one")
    team = runs.tags.add(key="team").texts
    team.texts.append("speed")
    team.codes.extend([0] * count)
    runs.metrics.add(key="loss", rows=[0, 2], values=[1.5, float("nan")], steps=[7, -7], times_millis=[NOW, 0])
    return runs


def test_a_table_is_taken() -> None:
    check_import(table(), "runs")
    check_import(table(limits.RUNS_PER_IMPORT), "runs")


@pytest.mark.parametrize(
    ("change", "reason", "field", "told"),
    [
        (lambda runs: runs.ClearField("run_ids"), "OVER_LIMIT", "run_ids", "0 runs, not 1 to 10,000"),
        (lambda runs: setattr(runs, "run_ids", bytes(17)), "INVALID_ID", "run_ids", "17 bytes"),
        (lambda runs: setattr(runs, "run_ids", bytes(48)), "ID_REPEATED", "run_ids", "twice"),
        (lambda runs: runs.names.texts.append("more"), "COLUMN_LENGTH", "names", "4 values for 3"),
        (lambda runs: runs.names.texts.__setitem__(1, "x" * 501), "NAME_TOO_LONG", "names.texts[1]", "501"),
        (lambda runs: runs.users.texts.extend(["a", "b", "c\n"]), "NAME_INVALID", "users.texts[2]", "control"),
        (lambda runs: runs.start_times_millis.pop(), "COLUMN_LENGTH", "start_times_millis", "2 values for 3"),
        (lambda runs: runs.start_times_millis.__setitem__(0, -1), "TIME_OUT_OF_RANGE", "start_times_millis", "-1"),
        (lambda runs: runs.end_times_millis.append(NOW), "COLUMN_LENGTH", "end_times_millis", "1 values for 3"),
        (lambda runs: runs.states.pop(), "COLUMN_LENGTH", "states", "2 values"),
        (lambda runs: runs.states.__setitem__(0, 0), "STATE_INVALID", "states", "0 is no state"),
        (
            lambda runs: (runs.end_times_millis.extend([NOW] * 3), runs.states.__setitem__(1, 1)),
            "STATE_INVALID",
            "states",
            "is RUNNING",
        ),
        (lambda runs: setattr(runs, "parent_run_ids", bytes(16)), "INVALID_ID", "parent_run_ids", "16 bytes for 3"),
        (lambda runs: setattr(runs.params[0], "key", ""), "KEY_EMPTY", "params[0].key", "empty"),
        (lambda runs: runs.params[0].wholes.append(1), "PARAM_WITHOUT_VALUE", "params[0]", "of several"),
        (lambda runs: runs.params[0].ClearField("reals"), "PARAM_WITHOUT_VALUE", "params[0]", "no type"),
        (lambda runs: runs.params[0].reals.append(1), "COLUMN_LENGTH", "params[0].reals", "4 values for 3"),
        (lambda runs: runs.params[2].rows.__setitem__(0, 0), "KEY_REPEATED", "params[2].key", "mixed"),
        (lambda runs: runs.params[2].rows.__setitem__(0, 3), "ROWS_INVALID", "params[2].rows", "below 3"),
        (lambda runs: runs.metrics[0].rows.__setitem__(0, 2), "ROWS_INVALID", "metrics[0].rows", "rising"),
        (lambda runs: runs.tags[0].texts.codes.__setitem__(0, 1), "CODE_INVALID", "tags[0].texts.codes", "1 of 1"),
        (
            lambda runs: runs.tags[0].texts.texts.__setitem__(0, "é" * 8_193),
            "TEXT_TOO_LONG",
            "tags[0].texts.texts[0]",
            "16,384",
        ),
        (lambda runs: runs.tags.add(key="team").texts.texts.extend("abc"), "KEY_REPEATED", "tags[1].key", "team"),
        (lambda runs: runs.metrics[0].values.pop(), "COLUMN_LENGTH", "metrics[0].values", "1 values for 2"),
        (lambda runs: runs.metrics[0].steps.pop(), "COLUMN_LENGTH", "metrics[0].steps", "1 values for 2"),
        (lambda runs: runs.metrics[0].times_millis.pop(), "COLUMN_LENGTH", "metrics[0].times_millis", "1 values for 2"),
        (
            lambda runs: runs.metrics[0].times_millis.__setitem__(1, -1),
            "TIME_OUT_OF_RANGE",
            "metrics[0].times_millis",
            "-1 is not 0",
        ),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_name(change: Wrong, reason: str, field: str, told: str) -> None:
    runs = table()
    change(runs)
    refused(lambda: check_import(runs, "runs"), reason, f"runs.{field}", told)


def test_too_many_runs_or_keys_of_one_run_are_refused() -> None:
    refused(lambda: check_import(table(limits.RUNS_PER_IMPORT + 1), "runs"), "OVER_LIMIT", "runs.run_ids", "10,001")
    runs = table()
    # Three columns of two keys; no run has more than two.
    check_import(runs, "runs", RunLimits(params=2, tags=1, metrics=1))
    with pytest.raises(ResourceExhausted, match=r"runs\.params: .* the run has 1 distinct params") as caught:
        check_import(runs, "runs", RunLimits(params=1))
    assert caught.value.reason == "TOO_MANY_PARAMS"
