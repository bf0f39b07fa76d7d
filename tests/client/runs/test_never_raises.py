"""Nothing that logs raises, whatever it is given; what was lost is warned about by name and counted on the run."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fleetlog
import numpy as np
import pytest
from fleetlog._delivery import diagnostics

from tests.client.values.test_params import BAD
from tests.client.values.test_values import Hostile, Panic, Tensor, nested

ODD: list[Any] = [
    None, 5, "loss", b"x", 1j, object(), Hostile(Panic("x")), Hostile(OSError()), nested(10_000), 10**5000,
    float("nan"),
    np.longdouble("1e-9"), np.arange(3), Tensor(RuntimeError("no")), "caf\udce9", [[1]],
    {"a": nested(10_000)}, {None: 1},
    {Panic: Hostile(Panic())}, BAD, datetime.now(UTC), ["a", 5], True, type, Path("x"), "\x00", "x" * 100_000,
]  # fmt: skip


def test_odd_values_reach_no_training(embedded_target: str, experiment: str) -> None:
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        for odd in ODD:
            run.log(odd)
            run.log({"x": odd})
            run.log({"good": 1.0, "x": odd}, step=odd)
            run.log({"good": 1.0}, time=odd)
            run.log_series(odd, steps=[0], values=[1.0])
            run.log_series("x", steps=odd, values=odd)
            run.log_series("x", steps=[0, 1], values=[1.0, odd], times=[odd, odd])
            run.log_params(odd)
            run.log_param(odd, odd)
            run.set_tags(odd)
            run.set_tag(odd, odd)
            run.delete_tags(odd, odd)
            run.log_input(odd, odd, digest=odd, source=odd, source_type=odd, schema=odd, profile=odd)
            run.rename(odd)
        wrong: dict[str, Any] = {"nonsense": 5}
        run.log_params(**wrong)
        run.log({"last": 1.0}, step=7)
        run.finish(end_time="soon")
    view = fleetlog.Client(embedded_target).get_run(run.id)
    assert view.state == "FINISHED"
    assert view.metrics["last"] == 1.0
    assert {"NOT_A_NUMBER", "STEP_INVALID", "TIME_INVALID", "METRICS_INVALID", "SERIES_INVALID", "NOT_A_MAPPING"} <= {
        problem.reason for problem in view.problems
    }


def test_the_good_ones_of_a_call_are_kept_and_the_others_named(
    embedded_target: str, experiment: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests log to the same server: what they were warned of a moment ago is to be told again.
    monkeypatch.setattr(diagnostics, "WARNING_SECONDS", 0.0)
    caplog.set_level(logging.WARNING, "fleetlog")
    good = {"optimizer": {"lr": np.float32(0.1), "name": "adam"}, "none": None, "layers": [64, 32]}
    with fleetlog.start_run(experiment, params={**good, **BAD}, tags={"kept": 1, **BAD}, target=embedded_target) as run:
        run.log_params({"seed": 3, "prompt": "x" * 20_000})
        run.set_tags({"team": "a", "new\nline": 1, "none": None})
        run.log({"loss": 1.0, "text": "abc", "val": {"acc": np.array([0.5])}}, step=np.float32(4))
        run.log_series("s", steps=[0, 1.5, 2], values=[[1.0], [2.0], [3.0]], times=[time.time()] * 3)
        run.log_input("data", profile="x" * 100_000, source={"a": 1})
    view = fleetlog.Client(embedded_target).get_run(run.id)
    assert view.params == {"optimizer.lr": 0.1, "optimizer.name": "adam", "layers": "[64, 32]", "seed": 3}
    assert view.tags == {"kept": "1", "team": "a", "tensor": view.tags["tensor"]}
    assert view.metrics == {"loss": 1.0, "val/acc": 0.5, "s": 3.0}
    assert view.metric("loss").steps.tolist() == [4]
    assert view.metric("s").times.max() > 1_700_000_000_000
    assert [(one.name, one.source) for one in view.datasets] == [("data", '{"a": 1}')]
    told = caplog.text
    for name in ("'prompt'", r"'new\nline'", "'text'", "profile", "1.5"):
        assert name in told, name
    reasons = {problem.reason: problem.points for problem in view.problems}
    assert {"TEXT_TOO_LONG", "KEY_INVALID", "NOT_A_NUMBER", "STEP_INVALID"} <= reasons.keys()
    assert (reasons["NOT_A_NUMBER"], reasons["STEP_INVALID"]) == (1, 1)


def test_a_start_with_thousands_of_params_keeps_all_of_them(embedded_target: str, experiment: str) -> None:
    params = {f"p{place}": place for place in range(5_000)} | {f"text{place}": "x" * 10_000 for place in range(200)}
    with fleetlog.start_run(
        experiment, params=params, tags={f"t{place}": "x" * 10_000 for place in range(300)}, target=embedded_target
    ) as run:
        run.log({"x": 1.0})
    view = fleetlog.Client(embedded_target).get_run(run.id)
    assert (len(view.params), len(view.tags), view.problems) == (5_200, 300, [])


@pytest.mark.parametrize(
    "wrong",
    [{"params": 5}, {"tags": "x"}, {"start_time": "soon"}, {"start_time": 10**17}, {"params": Hostile(OSError())}],
)
def test_a_start_with_what_is_no_dict_or_time_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match=next(iter(wrong))):
        fleetlog.start_run("never", target="localhost:1", **wrong)


def test_what_ends_a_process_reaches_it(embedded_target: str, experiment: str) -> None:
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        for ending in (KeyboardInterrupt, SystemExit):
            with pytest.raises(ending):
                run.log({"x": Hostile(ending())})
            with pytest.raises(ending):
                run.log_param("x", Hostile(ending()))


def test_a_logging_handler_that_raises_reaches_no_training(embedded_target: str, experiment: str) -> None:
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("the handler is broken")

    handler = Raising()
    odd: Any = 5
    logger = logging.getLogger("fleetlog")
    logger.addHandler(handler)
    try:
        with fleetlog.start_run(experiment, target=embedded_target) as run:
            run.log({"x": "abc"})
            run.log(odd)
            run.log_params(odd)
            run.set_tags({"": 1})
            run.log_series("x", steps=[0.5], values=[1.0])
    finally:
        logger.removeHandler(handler)
    assert fleetlog.Client(embedded_target).get_run(run.id).problems
