from __future__ import annotations

from tests.coverage_floors import FLOORS, percents


def test_lines_and_branches_are_counted_by_package() -> None:
    summary = {"covered_lines": 3, "num_statements": 5, "covered_branches": 1, "num_branches": 3}
    files = {
        "core/fleetlog_core/a.py": {"summary": summary},
        "core/fleetlog_core/log/b.py": {"summary": {**summary, "covered_lines": 5, "covered_branches": 3}},
        "query/fleetlog_query/c.py": {"summary": {"covered_lines": 1, "num_statements": 1}},
    }
    found = percents({"files": files})
    assert found["fleetlog_core"] == 75.0
    assert found["fleetlog_query"] == 100.0
    assert set(found) == set(FLOORS)
    assert found["fleetlog_deploy"] == 0.0
