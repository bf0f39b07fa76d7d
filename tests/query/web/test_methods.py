from __future__ import annotations

from fleetlog_query.web.live import LIVE
from fleetlog_query.web.methods import METHODS


def test_every_service_of_the_contract_is_there() -> None:
    services = {method.service.rpartition(".")[2] for method in METHODS.values()}
    assert {
        "DocumentQueryService", "DocumentService", "IngestService", "LoggedModelQueryService", "LoggedModelService",
        "QueryService", "RegistryQueryService", "RegistryService", "WebhookService",
    } <= services  # fmt: skip


def test_reads_go_to_the_query_service_and_all_else_to_the_gateway() -> None:
    assert METHODS["/fleetlog.v1.RegistryQueryService/GetModelVersion"].is_read
    assert not METHODS["/fleetlog.v1.WebhookService/ListWebhooks"].is_read
    assert not METHODS["/fleetlog.v1.IngestService/GetLogPosition"].is_read


def test_live_calls_take_one_message() -> None:
    assert LIVE
    assert all(method.streams_responses and not method.streams_requests for method in LIVE.values())
