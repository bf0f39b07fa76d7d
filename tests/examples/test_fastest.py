"""The fastest record that holds, over records whose answer is known."""

from __future__ import annotations

import math
import statistics

import fastest
import fleetlog
import pytest

# One-sided t of 0.99 by degrees of freedom, as printed in any table.
T_99 = {1: 31.821, 2: 6.965, 3: 4.541, 4: 3.747, 7: 2.998}
RECORDS = {
    "fast but above": (60_000, [3.281, 3.282, 3.281]),
    "fast and lucky": (70_000, [3.270, 3.289, 3.279]),
    "one run alone": (50_000, [3.2]),
    "below, by too few runs": (75_000, [3.2791, 3.2799]),
    "holds": (80_000, [3.278, 3.2785, 3.279, 3.2781, 3.2788]),
    "slow and holds": (90_000, [3.270, 3.271, 3.272, 3.271]),
}


def p_is_below_one_percent(losses: list[float], bound: float = 3.28) -> bool:
    """The t-test by hand."""
    mean, std, count = statistics.fmean(losses), statistics.stdev(losses), len(losses)
    return (bound - mean) / (std / math.sqrt(count)) > T_99[count - 1]


@pytest.fixture
def speedrun(embedded_target: str, experiment: str) -> str:
    for record, (time, losses) in RECORDS.items():
        for place, loss in enumerate(losses):
            tags = {"record": record, "track": "track_1_short"}
            with fleetlog.start_run(experiment, f"{place}", tags=tags, target=embedded_target) as run:
                run.log({"train_time": time + place * 100, "val_loss": loss}, step=1)
    with fleetlog.start_run(experiment, tags={"record": "other", "track": "other"}, target=embedded_target) as run:
        run.log({"train_time": 1.0, "val_loss": 1.0}, step=1)
    return experiment


def test_it_is_the_t_test(embedded_target: str, speedrun: str) -> None:
    found = fastest.by_record(fleetlog.Client(embedded_target), speedrun)
    held = {str(record.values["tags.record"]): fastest.holds(record, 3.28) for record in found}
    assert held == {
        record: p_is_below_one_percent(losses) for record, (_, losses) in RECORDS.items() if len(losses) > 1
    }
    assert [record for record, holds in held.items() if holds] == ["holds", "slow and holds"]
    assert found.verdicts[0] == fleetlog.Verdict(fastest.TRACK, 19, 1)


def test_it_says_which(embedded_target: str, speedrun: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fastest.main(["--target", embedded_target, "--experiment", speedrun]) == 0
    told = capsys.readouterr().out
    assert "the fastest record that holds: holds, 80.20 s on average of 5 runs, val_loss 3.2785" in told
    assert "groups of at least 2 runs: 1 of 18 runs put aside" in told
    assert fastest.main(["--target", embedded_target, "--experiment", speedrun, "--loss", "3.2"]) == 1
    assert "no record has a mean val_loss below 3.2 with p < 0.01" in capsys.readouterr().err


def test_what_it_says_when_it_cannot(embedded_target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fastest.main(["--target", embedded_target, "--experiment", "no such speedrun"]) == 1
    assert "there is no experiment" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fastest.main(["--p", "0.7"])
