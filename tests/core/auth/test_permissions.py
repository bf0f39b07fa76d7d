"""What calls ask, as their protos say: every call of the contract, and calls that say too little."""

from __future__ import annotations

import importlib
import pkgutil

import fleetlog_proto.v1
import pytest
from fleetlog_core.auth.identity import ADMIN, READ, Grant, Identity, Permission
from fleetlog_core.auth.permissions import NOWHERE, MethodUnsaid, rules_of
from fleetlog_core.errors import PermissionDenied
from fleetlog_proto.v1 import frame_pb2, ingest_pb2, permission_pb2, query_pb2, scope_pb2, watch_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

HEALTH, REFLECTION = "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"
WRITER = Identity("ann", (Grant.of("writer@own"),))


def services() -> list[str]:
    """Every service of the contract."""
    found = []
    for module in pkgutil.iter_modules(fleetlog_proto.v1.__path__, "fleetlog_proto.v1."):
        if module.name.endswith("_pb2"):
            descriptor = importlib.import_module(module.name).DESCRIPTOR
            found += [service.full_name for service in descriptor.services_by_name.values()]
    return found


def test_every_call_of_the_contract_says_what_it_asks() -> None:
    rules = rules_of(services())
    assert len(rules) > 60
    free = [name for name, rule in rules.items() if not rule.namespaces]
    assert free == [
        "/fleetlog.v1.QueryService/ListDenials", "/fleetlog.v1.QueryService/ListNamespaces",
        "/fleetlog.v1.QueryService/GetServerInfo", "/fleetlog.v1.QueryService/WaitForPosition",
        "/fleetlog.v1.AuthService/WhoAmI", "/fleetlog.v1.AuthService/CreateToken",
        "/fleetlog.v1.AuthService/ListTokens", "/fleetlog.v1.AuthService/RevokeToken",
        "/fleetlog.v1.AuthService/ListDenials",
    ]  # fmt: skip


def test_reads_take_the_reader_and_what_can_not_be_undone_the_admin() -> None:
    for name, rule in rules_of(services()).items():
        call = name.rpartition("/")[2]
        if call.startswith(("Get", "Search", "List", "Read", "Watch", "Select", "Stream")) and "Webhook" not in name:
            assert rule.permission == READ or not rule.namespaces or "UploadParts" in call, name
        if call.startswith("Purge") or "WebhookService" in name:
            assert rule.permission == ADMIN, name


def test_probes_need_no_token_and_reflection_does() -> None:
    for module in ("grpc_health.v1.health_pb2", "grpc_reflection.v1alpha.reflection_pb2"):
        importlib.import_module(module)
    rules = rules_of((HEALTH, REFLECTION))
    assert {name: rule.permission is None for name, rule in rules.items()} == {
        f"/{HEALTH}/Check": True, f"/{HEALTH}/List": True, f"/{HEALTH}/Watch": True,
        f"/{REFLECTION}/ServerReflectionInfo": False,
    }  # fmt: skip


def test_every_place_of_a_namespace_is_looked_at() -> None:
    rules = rules_of(services())
    append = rules["/fleetlog.v1.IngestService/AppendEvents"]
    own, foreign = (frame_pb2.Frame(namespace=name, run_id=bytes(16)) for name in ("own", "foreign"))
    unnamed, inherited = frame_pb2.Frame(run_id=bytes(16)), frame_pb2.Frame(namespace="foreign")
    append.check(WRITER, ingest_pb2.AppendEventsRequest(frame=own, more_frames=[own, inherited]))
    for frames in ([foreign], [own, foreign], [own, own, unnamed]):
        with pytest.raises(PermissionDenied):
            append.check(WRITER, ingest_pb2.AppendEventsRequest(frame=frames[0], more_frames=frames[1:]))
    watch = rules["/fleetlog.v1.QueryService/WatchRuns"]
    watch.check(WRITER, watch_pb2.WatchRunsRequest(scope=scope_pb2.RunScope(namespace="own")))
    with pytest.raises(PermissionDenied, match="'default'"):
        watch.check(WRITER, watch_pb2.WatchRunsRequest())
    upload = rules["/fleetlog.v1.IngestService/UploadArtifact"]
    header = ingest_pb2.UploadHeader(namespace="own")
    assert upload.check(WRITER, ingest_pb2.UploadArtifactRequest(header=header)) == "own"
    assert upload.check(WRITER, ingest_pb2.UploadArtifactRequest(chunk=b"x"), "own") == "own"
    with pytest.raises(PermissionDenied):
        upload.check(WRITER, ingest_pb2.UploadArtifactRequest(header=ingest_pb2.UploadHeader(namespace="foreign")))


def test_a_run_of_a_foreign_namespace_is_looked_for_nowhere() -> None:
    rule = rules_of(services())["/fleetlog.v1.QueryService/GetRun"]
    request = query_pb2.GetRunRequest(namespace="foreign", run_id="0" * 32)
    rule.check(WRITER, request)
    assert request.namespace == NOWHERE
    request = query_pb2.GetRunRequest(namespace="own", run_id="0" * 32)
    rule.check(WRITER, request)
    assert request.namespace == "own"


@pytest.mark.parametrize(
    ("permission", "told"),
    [(permission_pb2.PERMISSION_UNSPECIFIED, "does not say what it asks"), (READ, "names no namespace")],
)
def test_a_service_with_a_call_that_says_too_little_is_refused(permission: Permission, told: str) -> None:
    package = f"fleetlog.test{permission}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.message_type.add(name="Ask")
    method = file.service.add(name="Odd").method.add(
        name="Do", input_type=f".{package}.Ask", output_type=f".{package}.Ask"
    )
    method.options.Extensions[permission_pb2.permission] = permission
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    with pytest.raises(MethodUnsaid, match=told):
        rules_of([f"{package}.Odd"])
