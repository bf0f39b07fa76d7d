"""What is in a namespace without a role there: asked for, it is as what is nowhere, in words and in statements."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.auth.authentication import Authentication
from fleetlog_core.auth.identity import Grant
from fleetlog_core.auth.kept_tokens import KeptToken
from fleetlog_core.auth.tokens import new_token
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.serving.authorization import AuthorizationInterceptor
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_proto.v1 import (
    artifact_pb2,
    audit_pb2,
    logged_model_pb2,
    logged_model_pb2_grpc,
    metric_pb2,
    model_version_pb2,
    query_pb2,
    query_pb2_grpc,
    registered_model_pb2,
    registry_pb2_grpc,
    token_pb2,
)
from fleetlog_query.service import QueryServicer
from google.protobuf.message import Message

from tests.end_to_end.refusals import SECONDS, check_clean
from tests.warehouses import Wrapped

OWNER, MODEL = "foreign-names", "secret model"
Ask = Callable[[str], object]


class Counting(Wrapped):
    """Keeps the texts of the statements that calls make."""

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse)
        self.texts: list[str] = []

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        self.texts.append(statement.sql)
        return super().select(statement, timeout_seconds=timeout_seconds)


@pytest.fixture(scope="module")
def run_id(embedded_target: str) -> Iterator[str]:
    """A run of the owner, with a model."""
    with fleetlog.start_run("e", target=embedded_target, namespace=OWNER) as run:
        run.log({"x": 1.0})
        run.log_text("content", "file")
        run.flush(timeout=100, level="applied")
        fleetlog.Client(embedded_target, OWNER).register_model(MODEL, run=run)
        yield run.id


def calls(channel: grpc.Channel, token: str) -> dict[str, Callable[[str, str, str], object]]:
    """Calls for one thing, given its namespace, an id and a name."""
    shown, query = (("authorization", f"Bearer {token}"),), query_pb2_grpc.QueryServiceStub(channel)
    registry = registry_pb2_grpc.RegistryQueryServiceStub(channel)
    models = logged_model_pb2_grpc.LoggedModelQueryServiceStub(channel)

    def one(method: Callable[..., object], request: Message) -> object:
        found = method(request, metadata=shown, timeout=SECONDS)
        return list(found) if hasattr(found, "__iter__") else found

    return {
        "GetRun": lambda space, number, name: one(
            query.GetRun, query_pb2.GetRunRequest(namespace=space, run_id=number)
        ),
        "GetExperiment": lambda space, number, name: one(
            query.GetExperiment, query_pb2.GetExperimentRequest(namespace=space, name=name)
        ),
        "ReadMetric": lambda space, number, name: one(
            query.ReadMetric, metric_pb2.ReadMetricRequest(namespace=space, run_ids=[number], keys=["x"])
        ),
        "ListArtifacts": lambda space, number, name: one(
            query.ListArtifacts, artifact_pb2.ListArtifactsRequest(namespace=space, run_id=number)
        ),
        "DownloadArtifact": lambda space, number, name: one(
            query.DownloadArtifact,
            artifact_pb2.DownloadArtifactRequest(namespace=space, run_id=number, path="file"),
        ),
        "ListEvents": lambda space, number, name: one(
            query.ListEvents, audit_pb2.ListEventsRequest(namespace=space, run_id=number)
        ),
        "ListEvents of a Model": lambda space, number, name: one(
            query.ListEvents, audit_pb2.ListEventsRequest(namespace=space, model=name)
        ),
        "GetRegisteredModel": lambda space, number, name: one(
            registry.GetRegisteredModel, registered_model_pb2.GetRegisteredModelRequest(namespace=space, name=name)
        ),
        "GetModelVersion": lambda space, number, name: one(
            registry.GetModelVersion, model_version_pb2.GetModelVersionRequest(namespace=space, name=name, version=1)
        ),
        "GetLoggedModel": lambda space, number, name: one(
            models.GetLoggedModel, logged_model_pb2.GetLoggedModelRequest(namespace=space, model_id=number)
        ),
    }


async def served(
    path: Path, warehouse: Counting, tokens: dict[str, KeptToken], ask: Callable[[grpc.Channel], None]
) -> None:
    applied = AppliedWatch(warehouse)
    servicer = QueryServicer(warehouse, FolderStore(path / "objects"), applied, [b"key"])
    authorization = AuthorizationInterceptor(Authentication(lambda: tokens))
    await authorization.refresh()
    server = GrpcServer("127.0.0.1", 0, authorization=authorization)
    for name, register, behind in (
        ("QueryService", query_pb2_grpc.add_QueryServiceServicer_to_server, servicer),
        ("RegistryQueryService", registry_pb2_grpc.add_RegistryQueryServiceServicer_to_server, servicer.registry),
        (
            "LoggedModelQueryService",
            logged_model_pb2_grpc.add_LoggedModelQueryServiceServicer_to_server,
            servicer.logged_models,
        ),
    ):
        server.add(lambda inner, register=register, behind=behind: register(behind, inner), f"fleetlog.v1.{name}")  # type: ignore[misc]
    port = await server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            await asyncio.to_thread(ask, channel)
    finally:
        await server.drain(1.0)
        await applied.close()
        servicer.close()


def outcome(call: Callable[[], object]) -> str:
    """What a caller is told: why it is not found, or that there is nothing."""
    try:
        return str(call())
    except grpc.RpcError as error:
        words = error.details() or ""
        check_clean(words)
        return f"{error.code().name} {words}"


def token_of(*roles: str) -> tuple[str, dict[str, KeptToken]]:
    made = new_token()
    grants = [Grant.of(role).to_proto() for role in roles]
    token = token_pb2.Token(token_id=made.token_id, name="t", principal="ann", grants=grants)
    return made.text, {made.token_id: KeptToken(token, made.salt, made.digest)}


def test_a_foreign_thing_takes_the_words_and_the_statements_of_one_that_is_nowhere(
    run_id: str, embedded_warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse = Counting(embedded_warehouse)
    text, tokens = token_of("reader@own")
    told: dict[str, list[tuple[str, Sequence[str]]]] = {}

    def ask(channel: grpc.Channel) -> None:
        # A namespace that is asked of for the first time takes a look of its own; the second time counts.
        for name, call in [*calls(channel, text).items()] * 2:
            told[name] = []
            for space, number, thing in (
                (OWNER, run_id, MODEL if "Model" in name else "e"),
                (OWNER, os.urandom(16).hex(), "nowhere"),
                ("own", run_id, "nowhere"),
                ("own", os.urandom(16).hex(), "nowhere"),
            ):
                warehouse.texts.clear()
                words = outcome(lambda: call(space, number, thing))  # noqa: B023
                words = words.replace(number, "ID").replace(repr(thing), "NAME")
                told[name].append((words, tuple(warehouse.texts)))

    asyncio.run(served(tmp_path, warehouse, tokens, ask))
    assert len(told) == 10
    for name, answers in told.items():
        assert len(set(answers)) == 1, (name, answers)
    assert sum(answers[0][0].startswith("NOT_FOUND") for answers in told.values()) >= 9


@pytest.mark.parametrize(
    ("roles", "seen"),
    [(["reader@own"], []), ([f"reader@{OWNER}", "writer@own"], [OWNER]), (["reader@*"], ["default", OWNER])],
)
def test_namespaces_are_those_that_the_caller_may_read(
    run_id: str, embedded_warehouse: Warehouse, tmp_path: Path, roles: list[str], seen: list[str]
) -> None:
    text, tokens = token_of(*roles)
    found: list[str] = []

    def ask(channel: grpc.Channel) -> None:
        stub = query_pb2_grpc.QueryServiceStub(channel)
        request = query_pb2.ListNamespacesRequest(page_size=1)
        while request.page_token or not found:
            page = stub.ListNamespaces(request, metadata=(("authorization", f"Bearer {text}"),), timeout=SECONDS)
            found.extend(page.namespaces)
            request.page_token = page.next_page_token
            if not request.page_token:
                break

    asyncio.run(served(tmp_path, Counting(embedded_warehouse), tokens, ask))
    assert found == sorted(found)
    assert set(seen) <= set(found)
    if roles != ["reader@*"]:
        assert found == seen
