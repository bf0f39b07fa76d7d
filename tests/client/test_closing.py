"""Clients that are closed, and what stays open: the runs of the process, and other clients."""

from __future__ import annotations

import os

import fleetlog
import psutil
import pytest
from fleetlog._transport.connection import connection_to

from tests.waiting import reached


def connections_to(target: str) -> int:
    port = int(target.rpartition(":")[2])
    return sum(bool(one.raddr) and one.raddr.port == port for one in psutil.Process(os.getpid()).net_connections("tcp"))


def test_a_closed_client_says_so_and_closing_it_again_does_nothing(embedded_target: str) -> None:
    with fleetlog.Client(embedded_target) as client:
        client.experiments()
    client.close()
    with pytest.raises(fleetlog.FailedPrecondition) as error:
        client.experiments()
    assert error.value.reason == "CLIENT_CLOSED"


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "5", None])
def test_a_timeout_that_can_not_be_is_refused(wrong: float) -> None:
    with pytest.raises(fleetlog.InvalidArgument) as error:
        fleetlog.Client(timeout=wrong)
    assert error.value.violations[0].field == "timeout"


def test_a_client_waits_as_long_as_it_was_told(embedded_target: str) -> None:
    client = fleetlog.Client(embedded_target, timeout=0.0)
    with pytest.raises(fleetlog.DeadlineExceeded):
        client.search_runs()


def test_the_connection_of_a_server_that_nobody_needs_is_closed(embedded_target: str) -> None:
    # By another name, so that it is a connection of its own.
    alias = f"localhost:{embedded_target.rpartition(':')[2]}"
    before = connections_to(embedded_target)
    with fleetlog.Client(alias) as client:
        client.experiments()
        assert connections_to(embedded_target) > before
    del client
    reached(lambda: connections_to(embedded_target) <= before)


def test_other_clients_go_on_and_see_what_was_written_before(embedded_target: str, experiment: str) -> None:
    first, second = fleetlog.Client(embedded_target), fleetlog.Client(embedded_target)
    first.create_experiment(experiment)
    first.close()
    assert second.get_experiment(experiment).name == experiment


def test_runs_keep_the_connection_that_a_client_is_done_with(embedded_target: str, experiment: str) -> None:
    run = fleetlog.start_run(experiment, target=embedded_target)
    before = connection_to(embedded_target)
    fleetlog.Client(embedded_target).close()
    assert connection_to(embedded_target) is before
    run.log({"x": 1.0})
    run.finish()
    assert fleetlog.Client(embedded_target).get_run(run).metrics == {"x": 1.0}
