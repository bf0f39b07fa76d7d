from __future__ import annotations

import json

import pytest
from fleetlog.errors import InvalidArgument
from fleetlog.loadtest.report import Report, SearchReport, lines_of, merged, rows_of


def report(share: str) -> Report:
    found = Report("load", share, seconds=10.0, workers=2, runs=1, sent_points=40, durable_points=40)
    found.acknowledged.add(0.010, 2)
    search = found.searches["all runs, 10"] = SearchReport()
    search.took.add(0.02)
    found.findings.compared = 40
    found.problem("SERVER_UNAVAILABLE: no server answers")
    return found


def test_a_report_comes_back_from_its_json_as_it_was() -> None:
    one = report("1/2")
    again = Report.of(json.loads(json.dumps(one.to_dict())))
    assert again.to_dict() == one.to_dict()
    assert again.is_whole


def test_reports_of_machines_become_one() -> None:
    lost = report("2/2")
    lost.findings.lost = 3
    lost.max_lag_records = 9
    both = merged([report("1/2"), lost])
    assert (both.share, both.workers, both.durable_points, both.findings.lost) == ("1/2, 2/2", 4, 80, 3)
    assert (both.acknowledged.count, both.searches["all runs, 10"].took.count, both.max_lag_records) == (4, 2, 9)
    assert both.problems == {"SERVER_UNAVAILABLE: no server answers": 2}
    assert not both.is_whole


def test_reports_of_other_loads_or_the_same_machine_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="a share is there twice"):
        merged([report("1/2"), report("1/2")])
    with pytest.raises(InvalidArgument, match="different loads"):
        merged([report("1/2"), Report("other", "2/2")])


@pytest.mark.parametrize("said", [{}, {"format": "other"}, {"format": "fleetlog.loadtest/1", "name": "x"}])
def test_what_is_no_report_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument) as error:
        Report.of(said)
    assert error.value.reason == "REPORT_INVALID"


@pytest.mark.parametrize("broken", ["unread_runs", "stale_reads", "refused_points", "unanswered_points"])
def test_what_is_not_known_to_be_there_is_not_whole(broken: str) -> None:
    one = report("1/1")
    assert one.is_whole
    setattr(one, broken, 1)
    assert not one.is_whole


def test_people_are_told_what_was_measured_and_when_this_machine_was_too_slow() -> None:
    one = report("1/1")
    assert [row[:3] for row in rows_of(one)] == [("step acknowledged", 2, "10.0"), ("search: all runs, 10", 1, "20.0")]
    assert not any("too slow" in line for line in lines_of(one))
    one.behind_schedule.add(1.0)
    assert any("too slow for the load" in line for line in lines_of(one))
    assert "1 ×: SERVER_UNAVAILABLE: no server answers" in lines_of(one)
