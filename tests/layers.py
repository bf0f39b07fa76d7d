"""Layers of the tests: a marker for each, set by folder and by the fixtures that a test asks for. No test is decorated.

    unit     one process, no port, no engine: a tenth of a second at most
    engine   an engine behind a port of core: SQLite, chDB in a process, or a server that tests/servers.py names
    server   gRPC over a socket: the gateway, the query service or all of `fleetlog up`
    crash    processes that are started, killed and starved, and whole deployments

Tests of the server layer that answer for one RPC each, and for the main path, have the marker `smoke` too, and those of
the web UI have `browser`: they run by themselves. A test that asks for an embedded server is of the server layer at
least, wherever its file is.

Files with tests of the slowest layer run first: the quick ones fill up what is left when several run at once.

FLEETLOG_UNIT_SECONDS: unit tests that take more seconds of their thread's CPU time are named at the end; unset = none.
They are seconds of a quiet machine: on one that is slower, or busy, as many more are allowed as a loop takes longer
there. A test by Hypothesis may take as long for each ten examples that it tries.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Generator, Mapping, Sequence

import pytest
from hypothesis import settings

from tests.profiles import EXAMPLES

LAYERS = ("unit", "engine", "server", "crash")
"""From quick to slow: of two that hold for a test, the later one is its layer."""
SMOKE = "smoke"
BROWSER = "browser"
EMBEDDED = "embedded"
LOOP_SECONDS = 0.012
"""Seconds of CPU time that the loop of `slowness` takes on a quiet machine."""
_SLOW = "slow unit test"
_UNIT_SECONDS = float(os.environ.get("FLEETLOG_UNIT_SECONDS", "inf"))

FOLDERS: Mapping[str, str] = {
    "client": "unit",
    "client/capture/test_captured_runs": "crash",
    "client/capture/test_git": "crash",
    "client/cli/test_audit": "server",
    "client/cli/test_commands": "server",
    "client/cli/test_odd_texts": "server",
    "client/cli/test_watch": "crash",
    "client/delivery": "server",
    "client/delivery/test_diagnostics": "unit",
    "client/delivery/test_in_flight": "unit",
    "client/delivery/test_losses": "crash",
    "client/delivery/test_outbox": "unit",
    "client/delivery/test_serials": "unit",
    "client/delivery/test_verdicts": "unit",
    "client/files": "server",
    "client/files/test_strange_stores": "unit",
    "client/importers/aim/test_made_by_library": "server",
    "client/importers/test_kill": "crash",
    "client/importers/test_lease": "server",
    "client/importers/test_import_command": "server",
    "client/importers/test_mlflow_buckets": "server",
    "client/importers/test_mlflow_stores": "server",
    "client/importers/test_mlflow_server": "server",
    "client/importers/test_readers_end_to_end": "server",
    "client/importers/test_writer": "server",
    "client/loadtest/test_against_servers": "crash",
    "client/loadtest/test_commands": "server",
    "client/journal/test_redelivery": "server",
    "client/journal/test_sync": "crash",
    "client/journal/test_wire": "server",
    "client/runs": "crash",
    "client/runs/test_never_raises": "server",
    "client/transport": "server",
    "client/transport/test_answers": "unit",
    "client/transport/test_dropped_calls": "unit",
    "client/transport/test_tokens": "unit",
    "client/views/test_watching": "crash",
    "core": "unit",
    "core/log": "engine",
    "core/log/kafka/test_rebalances": "unit",
    "core/log/kafka/test_settings": "unit",
    "core/log/kafka/test_url": "unit",
    "core/log/kafka/test_watchdog": "unit",
    "core/objects": "engine",
    "core/serving": "server",
    "core/serving/test_budget": "unit",
    "core/serving/test_denials": "unit",
    "core/serving/test_diagnostics": "unit",
    "core/serving/test_fair_threads": "unit",
    "core/serving/test_measured": "unit",
    "core/serving/test_status": "unit",
    "core/serving/test_telemetry": "unit",
    "core/test_holder": "engine",
    "core/test_migrate": "crash",
    "core/warehouse": "engine",
    "core/warehouse/test_blocks": "unit",
    "core/warehouse/test_native_texts": "unit",
    "deploy": "crash",
    "deploy/settings": "unit",
    "deploy/test_readiness": "server",
    "deploy/test_dashboards": "unit",
    "docs": "unit",
    "docs/test_own_processes": "engine",
    "end_to_end": "server",
    "end_to_end/test_branch_kill": "crash",
    "end_to_end/test_cluster": "crash",
    "end_to_end/test_costly_searches": "crash",
    "end_to_end/test_floods": "crash",
    "end_to_end/test_full_disk": "crash",
    "end_to_end/test_growing_up": "crash",
    "end_to_end/test_heartbeat_times": "unit",
    "end_to_end/test_kill": "crash",
    "end_to_end/test_lost_runs": "crash",
    "end_to_end/test_unread_answers": "crash",
    "examples": "unit",
    "faults": "crash",
    "fuzz": "crash",
    "ingest": "unit",
    "ingest/gateway": "server",
    "ingest/gateway/test_allowance": "unit",
    "ingest/gateway/test_branches": "unit",
    "ingest/gateway/test_imports": "engine",
    "ingest/gateway/test_gathering": "unit",
    "ingest/gateway/test_log_run_events": "unit",
    "ingest/gateway/test_screen": "unit",
    "ingest/gateway/test_subsets": "unit",
    "ingest/materializer/loop": "engine",
    "ingest/materializer/loop/test_kill": "crash",
    "ingest/materializer/loop/test_policies": "unit",
    "ingest/materializer/loop/test_progress": "unit",
    "ingest/materializer/loop/test_reader_waker": "unit",
    "ingest/materializer/loop/test_silence": "unit",
    "ingest/materializer/fold/test_repeats": "engine",
    "ingest/materializer/state": "engine",
    "ingest/materializer/state/test_control_store": "unit",
    "ingest/materializer/state/test_request_ids": "unit",
    "ingest/materializer/test_documents_exactly_once": "engine",
    "ingest/materializer/test_registry_exactly_once": "engine",
    "ingest/materializer/test_registry_kill": "crash",
    "ingest/test_imported_before": "engine",
    "ingest/webhooks/test_remade_bodies": "engine",
    "ingest/test_losses": "engine",
    "ingest/test_orphans": "engine",
    "ingest/test_replay": "engine",
    "integrations": "server",
    "mlflow_plugin": "server",
    "mlflow_plugin/test_overlay": "unit",
    "mlflow_plugin/test_store_page_answers": "unit",
    "mlflow_plugin/test_store_page_tokens": "unit",
    "mlflow_plugin/test_store_registry_uri": "unit",
    "mlflow_plugin/test_store_rows": "unit",
    "mlflow_plugin/test_uris": "unit",
    "query": "unit",
    "query/audit/test_read_records": "engine",
    "query/order": "engine",
    "query/runs/test_document_cache": "engine",
    "query/runs/test_run_columns": "engine",
    "query/search/test_later_pages": "engine",
    "query/sql": "engine",
    "query/test_artifacts_as_of": "engine",
    "query/test_registry_as_of": "engine",
    "query/warehouse/test_cancellable": "server",
    "query/warehouse/test_costly_patterns": "server",
    "query/watch/test_run_watching": "engine",
    "query/web/test_passing": "server",
    "query/web/test_sessions": "server",
    "query/web/test_tls": "server",
    "test_alone": "unit",
    "simulation": "crash",
    "simulation/test_kernel": "unit",
    "simulation/test_machines": "unit",
    "simulation/test_names": "unit",
    "simulation/test_plans": "unit",
    "simulation/test_tables": "unit",
    "web": "server",
}
"""Layer of what is in a folder or a file below tests/; the longest path holds."""
SMOKES = ("end_to_end/test_every_call", "end_to_end/test_main_path")
IN_BROWSER = "web/"
"""Beginning of the paths whose tests want a browser."""
BROWSER_SECONDS = 900
"""Seconds that such a test may take at the most."""


def layer_of(path: str, fixtures: tuple[str, ...] = ()) -> str:
    """The layer of a test in a file, named below tests/ and without its suffix. KeyError for a folder without one."""
    parts = path.split("/")
    prefixes = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    layer = next((FOLDERS[prefix] for prefix in prefixes if prefix in FOLDERS), None)
    if layer is None:
        raise KeyError(f"tests/layers.py says of no layer for {path}")
    return "server" if layer in ("unit", "engine") and EMBEDDED in fixtures else layer


def slow_files_first(tests: Sequence[tuple[str, str]]) -> list[int]:
    """Places of tests, each with its file and its layer, in the order in which they run. A file stays together."""
    slowest: dict[str, int] = {}
    for file, layer in tests:
        slowest[file] = max(slowest.get(file, 0), LAYERS.index(layer))
    return sorted(range(len(tests)), key=lambda place: -slowest[tests[place][0]])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    root = config.rootpath / "tests"
    tests = []
    for item in items:
        path = item.path.relative_to(root).with_suffix("").as_posix()
        layer = layer_of(path, tuple(getattr(item, "fixturenames", ())))
        tests.append((path, layer))
        item.add_marker(layer)
        if path in SMOKES:
            item.add_marker(SMOKE)
        if path.startswith(IN_BROWSER):
            item.add_marker(BROWSER)
            # The first of them waits until the real runs are loaded.
            item.add_marker(pytest.mark.timeout(BROWSER_SECONDS))
    items[:] = [items[place] for place in slow_files_first(tests)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    before = time.thread_time()
    result = yield
    spent = time.thread_time() - before
    if item.get_closest_marker("unit") is not None:
        allowed = _UNIT_SECONDS * max(1, _examples_of(item) / 10)
        if spent > allowed and spent > (allowed := allowed * slowness()):
            item.user_properties.append((_SLOW, f"{spent:.2f} s of CPU time, more than {allowed:.2f}"))
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    slow = [
        f"{report.nodeid}: {text}"
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, text in report.user_properties
        if name == _SLOW
    ]
    if slow:
        terminalreporter.section("unit tests that are slow: make them quick, or give them another layer")
        terminalreporter.write_line("\n".join(slow))


def _examples_of(item: pytest.Item) -> int:
    """Number of examples that the test tries; 0 when it is not one by Hypothesis."""
    test = getattr(item, "obj", None)
    if not getattr(test, "is_hypothesis_test", False):
        return 0
    own: settings | None = getattr(test, "_hypothesis_internal_use_settings", None)
    return EXAMPLES if own is None else own.max_examples


def slowness() -> float:
    """Times that a loop takes longer than on a quiet machine, by the median of some tries; 1 at least."""
    tries = []
    for _ in range(9):
        before = time.thread_time()
        sum(number * number for number in range(200_000))
        tries.append(time.thread_time() - before)
    return max(1.0, statistics.median(tries) / LOOP_SECONDS)
