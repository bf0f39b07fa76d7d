"""Runs and experiments that are taken away for good."""

from __future__ import annotations

from typing import Literal

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import ingest_pb2

from tests.end_to_end.refusals import SECONDS, refused
from tests.servers import unique


def test_a_purged_run_is_in_no_view_and_nothing_brings_it_back(embedded_target: str) -> None:
    namespace = unique("purges")
    client, connection = fleetlog.Client(embedded_target, namespace), connection_to(embedded_target)
    runs = []
    for number, loss in enumerate((1.0, 2.0, 3.0)):
        tags = {"which": str(number)}
        with fleetlog.start_run("train", target=embedded_target, namespace=namespace, tags=tags) as run:
            run.log({"loss": loss}, step=1)
        runs.append(run.id)
    purged, deleted, kept = runs

    def purge(request_id: bytes = b"") -> None:
        request = ingest_pb2.PurgeRunRequest(
            namespace=namespace, run_id=purged, request_id=request_id, at_least=connection.position()
        )
        connection.saw(connection.ingest.PurgeRun(request, timeout=SECONDS).position)

    def found(view: Literal["active", "deleted", "all"], filter_: str = "") -> set[str]:
        return {run.id for run in client.search_runs(filter_, deleted=view)}

    assert refused(purge).reason == "RUN_NOT_DELETED"
    client.delete_run(purged)
    client.delete_run(deleted)
    assert found("deleted") == {purged, deleted}
    request_id = new_random_id()
    purge(request_id)
    for filter_ in ("", "metrics.loss > 0"):
        assert found("all", filter_) == {deleted, kept}
        assert found("deleted", filter_) == {deleted}
        assert found("active", filter_) == {kept}
    assert [(facet.key, facet.runs) for facet in client.keys(kind="metrics", deleted="all")] == [("loss", 2)]
    assert {facet.value for facet in client.values("tags.which", deleted="all")} == {"1", "2"}
    assert {facet.value for facet in client.values("tags.which")} == {"2"}
    for call in (client.get_run, client.restore_run):
        with pytest.raises(fleetlog.NotFound) as gone:
            call(purged)
        assert gone.value.reason == "RUN_NOT_FOUND"
    assert refused(purge).reason == "RUN_NOT_FOUND"
    purge(request_id)
    assert found("all") == {deleted, kept}


def test_the_name_of_a_purged_experiment_is_free_and_its_number_is_not(embedded_target: str) -> None:
    namespace, name = unique("purges"), "train"
    client, connection = fleetlog.Client(embedded_target, namespace), connection_to(embedded_target)
    number = client.create_experiment(name).id

    def purge() -> None:
        request = ingest_pb2.PurgeExperimentRequest(namespace=namespace, experiment_id=number)
        connection.saw(connection.ingest.PurgeExperiment(request, timeout=SECONDS).position)

    assert refused(purge).reason == "EXPERIMENT_NOT_DELETED"
    client.delete_experiment(number)
    purge()
    assert number not in {one.id for one in client.experiments(deleted="all")}
    assert refused(purge).reason == "EXPERIMENT_NOT_FOUND"
    with pytest.raises(fleetlog.NotFound):
        client.restore_experiment(number)
    assert client.create_experiment(name).id == number + 1
