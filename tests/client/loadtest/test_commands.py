"""`fleetlog loadtest` against a server, and against one that does not keep its word."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from fleetlog_proto.v1 import ingest_pb2

from tests.client.cli.in_process import said
from tests.client.cli.terminal import Answer
from tests.client.loadtest.lying_proxy import Change, lying_proxy

PROFILE = """
workers = 6
ranks = 2
metrics = 3
steps_per_second = 20
seconds = 1.5
artifacts = 2
artifact_bytes = 100
drain_seconds = 60
probes_per_second = 10
[[searches]]
filter = "metrics.m000 < 2 AND params.lr < 1"
order_by = ["metrics.m001 ASC"]
per_second = 5
"""
_names = (f"load {number}" for number in itertools.count())


@pytest.fixture
def profile(tmp_path: Path) -> str:
    path = tmp_path / "load.toml"
    path.write_text(PROFILE)
    return str(path)


def report_of(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.out)
    return found


@pytest.fixture
def name() -> str:
    return next(_names)


def test_all_that_a_good_server_acknowledged_is_there(embedded_target: str, profile: str, name: str) -> None:
    answer = said(embedded_target, "loadtest", profile, "--name", name, "--json")
    assert answer.code == 0, answer
    report = report_of(answer)
    findings = report["findings"]
    assert report["is_whole"]
    assert not report["interrupted"]
    assert (report["workers"], report["runs"]) == (6, 3)
    assert findings["compared"] == report["durable_points"] == report["sent_points"] > 6 * 3 * 10
    assert (findings["files"], findings["lost_files"]) == (12, 0)
    assert report["opened"]["count"] == 6
    assert report["acknowledged"]["count"] * 3 == report["durable_points"]
    assert report["readable"]["count"] > 0
    assert report["readable_by"]["count"] == report["acknowledged"]["count"]
    assert (report["failed_probes"], report["stale_reads"], report["problems"]) == (0, 0, {})
    (search,) = report["searches"].values()
    assert search["took"]["count"] > 0
    assert search["error"] == ""
    # The server itself says the same: ranks of one run, and runs that ended.
    runs = fleetlog.Client(embedded_target).search_runs(experiments=[name])
    assert [(run.state, sorted(run.metrics)) for run in runs] == [("FINISHED", ["m000", "m001", "m002"])] * 3
    assert all(run.params["lr"] in (0.1, 0.03, 0.01) for run in runs)


def once(change: Change) -> Change:
    """Only for the first request that has one step and not the first one."""
    done: list[int] = []

    def changed(request: ingest_pb2.AppendEventsRequest) -> None:
        steps = [*request.frame.events[0].metrics_logged.step_deltas] if request.frame.events else []
        if not done and len(steps) == 1 and steps[0] > 0:
            done.append(steps[0])
            change(request)

    return changed


def lose_a_point(request: ingest_pb2.AppendEventsRequest) -> None:
    del request.frame.events[0].metrics_logged.columns[1]


def change_a_value(request: ingest_pb2.AppendEventsRequest) -> None:
    request.frame.events[0].metrics_logged.columns[1].values[0] += 1.0


def change_a_step(request: ingest_pb2.AppendEventsRequest) -> None:
    request.frame.events[0].metrics_logged.step_deltas[0] = 4_000


def break_the_stream(request: ingest_pb2.AppendEventsRequest) -> None:
    raise RuntimeError("the proxy breaks the stream")


def under(change: Change, target: str, profile: str, name: str) -> tuple[int, dict[str, Any]]:
    with lying_proxy(target, change) as address:
        answer = said(address, "loadtest", profile, "--name", name, "--json")
    return answer.code, report_of(answer)


def test_a_point_that_was_acknowledged_and_is_not_there_is_found(embedded_target: str, profile: str, name: str) -> None:
    code, report = under(once(lose_a_point), embedded_target, profile, name)
    findings = report["findings"]
    assert report["unread_runs"] == 0, report
    assert (code, report["is_whole"], findings["lost"], findings["wrong"], findings["unsent"]) == (1, False, 1, 0, 0)
    assert "m001 step " in findings["named"][0]
    assert "acknowledged and not there" in findings["named"][0]


def test_a_value_that_was_changed_is_found(embedded_target: str, profile: str, name: str) -> None:
    code, report = under(once(change_a_value), embedded_target, profile, name)
    findings = report["findings"]
    assert (code, findings["lost"], findings["wrong"], findings["twice"]) == (1, 0, 1, 0)


def test_a_step_that_was_changed_is_lost_there_and_unsent_here(embedded_target: str, profile: str, name: str) -> None:
    code, report = under(once(change_a_step), embedded_target, profile, name)
    findings = report["findings"]
    assert (code, findings["lost"], findings["unsent"]) == (1, 3, 3)


def test_a_stream_that_breaks_is_begun_anew_and_loses_nothing(embedded_target: str, profile: str, name: str) -> None:
    code, report = under(once(break_the_stream), embedded_target, profile, name)
    assert (code, report["is_whole"], report["unanswered_points"]) == (0, True, 0)
    assert report["broken_streams"] >= 1
    assert report["findings"]["compared"] == report["sent_points"]


def test_machines_share_a_load_and_their_reports_become_one(
    embedded_target: str, profile: str, name: str, tmp_path: Path
) -> None:
    paths = []
    for share in ("1/2", "2/2"):
        answer = said(embedded_target, "loadtest", profile, "--name", name, "--share", share, "--json")
        assert answer.code == 0, answer
        paths.append(tmp_path / f"{share[0]}.json")
        paths[-1].write_text(answer.out)
    merges = [word for path in paths for word in ("--merge", str(path))]
    both = report_of(said(embedded_target, "loadtest", *merges, "--json"))
    assert (both["workers"], both["runs"], both["share"]) == (6, 3, "1/2, 2/2")
    assert both["findings"]["compared"] == both["durable_points"] == both["sent_points"]
    # Only the first of them searches.
    assert report_of(Answer(0, paths[1].read_text(), ""))["searches"] == {}
    assert len(fleetlog.Client(embedded_target).search_runs(experiments=[name])) == 3
    words = said(embedded_target, "loadtest", *merges)
    assert words.code == 0
    assert "step acknowledged" in words.out
    assert "0 lost, 0 twice, 0 wrong" in words.err


def test_a_server_that_is_not_there_is_told_of_in_a_line(profile: str) -> None:
    answer = said("127.0.0.1:1", "loadtest", profile)
    assert (answer.code, answer.out) == (1, "")
    assert "no server answers at 127.0.0.1:1" in answer.err


def test_a_profile_is_shown_as_a_file(embedded_target: str, profile: str, tmp_path: Path) -> None:
    shown = said(embedded_target, "loadtest", profile, "--workers", "7", "--show")
    (tmp_path / "again.toml").write_text(shown.out)
    again = said(embedded_target, "loadtest", str(tmp_path / "again.toml"), "--show")
    assert shown.code == again.code == 0
    assert "workers = 7\n" in shown.out
    assert shown.out == again.out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("nowhere.toml",), 2, "none of smoke, team, fleet, burst"),
        (("smoke", "--share", "1/2"), 2, "give the same --name"),
        (("smoke", "--share", "3/2"), 1, "no share such as 2/4"),
        (("smoke", "--workers", "0"), 1, "0 is not 1 to 1,000,000"),
        (("smoke", "--at", "soon"), 2, "--at"),
        (("--merge", "nowhere.json"), 2, "can't be read"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_anything_is_sent(
    arguments: tuple[str, ...], code: int, told: str
) -> None:
    answer = said("127.0.0.1:1", "loadtest", *arguments)
    assert answer.code == code
    assert told in " ".join(answer.err.replace("│", " ").split())


def test_more_connections_than_the_system_allows_are_told_of(profile: str) -> None:
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not 0 < hard < 900_000:
        pytest.skip("this system allows more files than a load may have workers")
    answer = said("127.0.0.1:1", "loadtest", profile, "--workers", str(hard + 1))
    assert answer.code == 1
    assert "ulimit -n" in answer.err
