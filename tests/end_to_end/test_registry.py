"""Registered models through the client and the server: what is unique, what was then, who may what."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_core import limits
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import (
    model_approval_pb2,
    model_history_pb2,
    registry_event_pb2,
    registry_pb2_grpc,
)
from fleetlog_proto.v1 import (
    model_version_pb2 as version_pb2,
)
from fleetlog_proto.v1 import (
    registered_model_pb2 as model_pb2,
)

from tests.end_to_end.refusals import SECONDS, refused

CLIENTS = 32
NO_STAGE = registry_event_pb2.ModelStage.ValueType(99)


@pytest.fixture(scope="module")
def client(embedded_target: str) -> fleetlog.Client:
    return fleetlog.Client(embedded_target, "registry")


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(fleetlog.FleetlogError) as failed:
        call()
    return failed.value.reason


def test_a_run_is_registered_with_what_it_came_from_and_loaded_by_its_alias(
    embedded_target: str, client: fleetlog.Client, tmp_path: Path
) -> None:
    (tmp_path / "weights.bin").write_bytes(b"w" * 100_000)
    (tmp_path / "other.txt").write_text("not of the model")
    runs = []
    for loss in (3.2, 3.1):
        with fleetlog.start_run(
            "train", target=embedded_target, namespace="registry", params={"lr": loss}, tags={"git_commit": "8f2c"}
        ) as run:
            run.log({"loss": loss}, step=1)
            run.log_input("fineweb10B", "training", digest="d1")
            run.log_artifact(tmp_path / "weights.bin", "model/weights.bin")
            run.log_artifact(tmp_path / "other.txt", "other.txt")
        runs.append(run.id)
    choice = client.select("metrics.loss < 9", experiments=["train"], minimize="metrics.loss")
    made = client.register_model(
        "gpt2", selection=choice, artifact_path="model", aliases="champion", tags={"note": "é\x00"}, user="eve"
    )
    assert (made.name, made.version, made.stage, made.aliases) == ("gpt2", 1, "None", ("champion",))
    assert (made.run_id, made.git_commit, made.source) == (runs[1], "8f2c", f"runs:/{runs[1]}/model")
    assert [(one.name, one.digest, one.context) for one in made.datasets] == [("fineweb10B", "d1", "training")]
    assert made.tags == {"note": "é\x00"}
    assert client.get_version("gpt2", alias="champion") == made
    assert pickle.loads(pickle.dumps(made)) == made
    # The choice can be made again, as of then, whatever came since.
    with fleetlog.start_run("train", target=embedded_target, namespace="registry") as later:
        later.log({"loss": 0.5}, step=1)
    assert made.selection is not None
    again = client.select_again(made.selection)
    assert again.best is not None
    assert again.best.run.id == runs[1]
    newest = client.select("metrics.loss < 9", experiments=["train"], minimize="metrics.loss").best
    assert newest is not None
    assert newest.run.id == later.id
    for uri in ("models:/gpt2@champion", "models:/gpt2/1", "models:/gpt2/latest", "models:/gpt2/none"):
        folder = client.load_path(uri, tmp_path / "to")
        assert (folder / "weights.bin").read_bytes() == b"w" * 100_000
        assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert reason(lambda: client.load_path("models:/gpt2@nobody")) == "ALIAS_NOT_FOUND"
    assert reason(lambda: client.load_path("models:/gpt2/../../etc/passwd")) == "MODEL_URI_INVALID"
    client.register_model("gpt2", source="file:///etc/passwd")
    assert reason(lambda: client.load_path("models:/gpt2/2")) == "SOURCE_ELSEWHERE"


def test_the_registry_is_read_as_it_was(client: fleetlog.Client) -> None:
    client.register_model("then", source="x", aliases="champion", user="ann")
    client.register_model("then", source="y")
    client.transition("then", 1, "Production")
    before = time.time()
    time_then = client.get_model("then").updated
    client.set_alias("then", "champion", 2, user="bob")
    client.transition("then", 2, "Production", archive_existing=True, user="bob")
    client.rename_model("then", "now")
    assert reason(lambda: client.get_model("then")) == "MODEL_NOT_FOUND"
    past = client.get_model("then", as_of=before)
    assert (past.aliases, past.updated) == ({"champion": 1}, time_then)
    assert [(one.version, one.stage) for one in past.latest] == [(2, "None"), (1, "Production")]
    assert client.get_version("then", stage="Production", as_of=before).version == 1
    assert client.get_version("now", stage="Production").version == 2
    assert [one.version for one in client.versions("then", as_of=before)] == [1, 2]
    now = client.get_model("now")
    assert (now.id, now.aliases) == (past.id, {"champion": 2})
    moved = client.model_history("now")
    assert [(one.action, one.version, one.subject, one.old, one.new, one.user) for one in moved[1:4]] == [
        ("version_transitioned", 1, "stage", "Production", "Archived", "bob"),
        ("version_transitioned", 2, "stage", "None", "Production", "bob"),
        ("alias_set", 2, "champion", "1", "2", "bob"),
    ]
    assert moved[1].request_id == moved[2].request_id
    assert [one.action for one in client.model_history("then", as_of=before)][-1] == "model_created"
    gone = client.delete_model("now")
    assert reason(lambda: client.model_history("now")) == "MODEL_NOT_FOUND"
    assert client.model_history(gone)[0].action == "model_deleted"
    assert client.register_model("now", source="z").version == 1


def test_what_needs_an_approval_waits_for_it_and_the_later_decision_is_told(client: fleetlog.Client) -> None:
    client.create_model("guarded", approval_stages="Production", approval_aliases=["champion"])
    client.register_model("guarded", source="x")
    assert reason(lambda: client.transition("guarded", 1, "Production")) == "APPROVAL_REQUIRED"
    assert reason(lambda: client.set_alias("guarded", "champion", 1)) == "APPROVAL_REQUIRED"
    asked = client.request_transition("guarded", 1, "Production", comment="please", user="ann")
    assert (asked.number, asked.state, asked.stage) == (1, "pending", "Production")
    assert client.get_version("guarded", 1).stage == "None"
    done: list[str] = []

    def decide(user: str, approve: bool) -> None:
        try:
            (client.approve if approve else client.reject)("guarded", 1, user=user)
            done.append(user)
        except fleetlog.FailedPrecondition as error:
            told.append(f"{error.reason} {error}")

    told: list[str] = []
    threads = [threading.Thread(target=decide, args=(f"u{place}", place % 2 == 0)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first,) = done
    assert len(told) == 5
    assert all(text.startswith("APPROVAL_DECIDED") and first in text for text in told)
    (approval,) = client.approvals("guarded")
    assert approval.decided_by == first
    stage = client.get_version("guarded", 1).stage
    assert (approval.state, stage) in (("approved", "Production"), ("rejected", "None"))
    moved = client.request_alias("guarded", "champion", 1)
    client.approve("guarded", moved.number, comment="fine")
    assert client.get_model("guarded").aliases == {"champion": 1}
    assert client.approvals("guarded", "pending") == []
    event = next(one for one in client.model_history("guarded") if one.action == "alias_set")
    assert event.approval == moved.number


def test_comments_are_kept_in_order_by_whom(client: fleetlog.Client) -> None:
    client.register_model("said", source="x")
    client.add_model_comment("said", "of the model", user="ann")
    client.add_model_comment("said", "of the version\n<b>", version=1, user="bob")
    assert [(one.user, one.version, one.text) for one in client.model_comments("said")] == [
        ("ann", 0, "of the model"), ("bob", 1, "of the version\n<b>"),
    ]  # fmt: skip
    assert [one.user for one in client.model_comments("said", 1)] == ["bob"]
    assert reason(lambda: client.add_model_comment("said", " ")) == "TEXT_EMPTY"
    assert reason(lambda: client.add_model_comment("said", "x", version=9)) == "VERSION_NOT_FOUND"


def test_numbers_have_neither_gaps_nor_twins_when_many_register_at_once(embedded_target: str) -> None:
    numbers: list[int] = []
    models: list[int] = []

    def register(place: int) -> None:
        mine = fleetlog.Client(embedded_target, "race")
        models.append(mine.create_model("m", exist_ok=True).id)
        for _ in range(3):
            numbers.append(mine.register_model("m", source=f"s{place}", aliases="newest").version)

    threads = [threading.Thread(target=register, args=(place,)) for place in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 3 * CLIENTS + 1))
    assert len(set(models)) == 1
    client = fleetlog.Client(embedded_target, "race")
    assert client.get_model("m").aliases == {"newest": 3 * CLIENTS}
    found = [one.version for one in client.versions("m")]
    assert sorted(found) == list(range(1, 3 * CLIENTS + 1))


def test_pages_are_of_one_moment(embedded_target: str, client: fleetlog.Client) -> None:
    for name in ("page-a", "page-b", "page-c", "page-d"):
        client.register_model(name, source="x", tags={"of": "pages"})
    with grpc.insecure_channel(embedded_target) as channel:
        stub = registry_pb2_grpc.RegistryQueryServiceStub(channel)
        request = model_pb2.SearchRegisteredModelsRequest(
            namespace="registry", name_contains="PAGE-", page_size=2, at_least=client._connection.position()
        )
        first = stub.SearchRegisteredModels(request, timeout=SECONDS)
        assert [one.name for one in first.models] == ["page-a", "page-b"]
        client.delete_model("page-d")
        client.rename_model("page-c", "page-z")
        request.page_token = first.next_page_token
        second = stub.SearchRegisteredModels(request, timeout=SECONDS)
        assert [one.name for one in second.models] == ["page-c", "page-d"]
        assert second.next_page_token == ""
        versions = version_pb2.SearchModelVersionsRequest(
            namespace="registry", page_size=1, at_least=client._connection.position()
        )
        versions.tags["of"] = "pages"
        names = []
        while True:
            page = stub.SearchModelVersions(versions, timeout=SECONDS)
            names += [one.name for one in page.versions]
            if not page.next_page_token:
                break
            versions.page_token = page.next_page_token
        assert names == ["page-z", "page-b", "page-a"]
        versions.tags["of"] = "others"
        assert refused(lambda: stub.SearchModelVersions(versions, timeout=SECONDS)).reason == "PAGE_TOKEN_INVALID"
    assert [one.name for one in client.models("age-", tags={})] == ["page-a", "page-b", "page-z"]
    assert client.models(tags={"of": "pages"}) == []


def test_a_model_of_another_namespace_can_be_neither_changed_nor_told_from_a_missing_one(
    embedded_target: str, client: fleetlog.Client
) -> None:
    made = client.register_model("private", source="x", aliases="a")
    client.request_transition("private", 1, "Staging")
    thief = fleetlog.Client(embedded_target, "thief")
    calls: list[Callable[[], object]] = [
        lambda: thief.get_model("private"), lambda: thief.get_version("private", 1),
        lambda: thief.get_version("private", alias="a"), lambda: thief.versions("private"),
        lambda: thief.model_comments("private"), lambda: thief.approvals("private"),
        lambda: thief.model_history("private"), lambda: thief.model_history(client.get_model("private")),
        lambda: thief.update_model("private", description="x"), lambda: thief.rename_model("private", "mine"),
        lambda: thief.delete_model("private"), lambda: thief.update_version("private", 1, description="x"),
        lambda: thief.transition("private", 1, "Staging"), lambda: thief.delete_version("private", 1),
        lambda: thief.set_alias("private", "b", 1), lambda: thief.delete_alias("private", "a"),
        lambda: thief.add_model_comment("private", "x"), lambda: thief.request_transition("private", 1, "Staging"),
        lambda: thief.request_alias("private", "b", 1), lambda: thief.approve("private", 1),
        lambda: thief.reject("private", 1), lambda: thief.load_path("models:/private@a"),
    ]  # fmt: skip
    assert [reason(call) for call in calls] == ["MODEL_NOT_FOUND"] * len(calls)
    assert thief.models() == []
    assert thief.versions() == []
    assert client.get_version("private", 1) == made


def wrong_requests() -> list[tuple[str, object, str, str]]:
    """Method, request, reason, and what the message names."""
    long, event = "n" * 10_240, registry_event_pb2
    names = [
        ("", "NAME_EMPTY"), (" ", "NAME_EMPTY"), (long, "NAME_TOO_LONG"), ("a/b", "NAME_INVALID"),
        ("../../etc/passwd", "NAME_INVALID"), ("a:b", "NAME_INVALID"), ("a\x00b", "NAME_INVALID"),
        ("a\x1b[31m", "NAME_INVALID"), ("a\u202eb", "NAME_INVALID"),
    ]  # fmt: skip
    found: list[tuple[str, object, str, str]] = []
    for name, why in names:
        found += [
            ("CreateRegisteredModel", model_pb2.CreateRegisteredModelRequest(name=name), why, "name"),
            (
                "RenameRegisteredModel",
                model_pb2.RenameRegisteredModelRequest(name="x", new_name=name),
                why,
                "new_",
            ),
            (
                "CreateModelVersion",
                version_pb2.CreateModelVersionRequest(name=name, create_model=True),
                why,
                "name",
            ),
        ]
    version, create = version_pb2.CreateModelVersionRequest, model_pb2.CreateRegisteredModelRequest
    lineage = event.ModelLineage
    too_long = "x" * (limits.MODEL_TEXT_CHARACTERS + 1)
    found += [
        ("CreateRegisteredModel", create(name="x", namespace="../../etc"), "INVALID_NAMESPACE", "namespace"),
        ("CreateRegisteredModel", create(name="x", request_id=b"1"), "INVALID_ID", "request_id"),
        ("CreateRegisteredModel", create(name="x", user="u" * 201), "NAME_TOO_LONG", "user"),
        ("CreateRegisteredModel", create(name="x", tags={"k": too_long}), "TEXT_TOO_LONG", "100,000"),
        ("CreateRegisteredModel", create(name="x", tags={"": "v"}), "KEY_EMPTY", "tags"),
        ("CreateRegisteredModel", create(name="x", tags={"../x": "v"}), "KEY_INVALID", "'../x'"),
        ("CreateRegisteredModel", create(name="x", description=too_long), "TEXT_TOO_LONG", "description"),
        ("CreateRegisteredModel", create(name="x", tags={f"k{n}": "" for n in range(2_001)}), "OVER_LIMIT", "2,000"),
        ("CreateModelVersion", version(name="x", source="s" * 4_097), "TEXT_TOO_LONG", "source"),
        ("CreateModelVersion", version(name="x", source="file:///a\nb"), "NAME_INVALID", "source"),
        ("CreateModelVersion", version(name="x", storage_location="s3://\u200bb"), "NAME_INVALID", "storage_location"),
        ("CreateModelVersion", version(name="x", lineage=lineage(run_id="../x")), "INVALID_ID", "lineage.run_id"),
        (
            "CreateModelVersion",
            version(name="x", lineage=lineage(artifact_path="%2e%2e%2fx")),
            "ARTIFACT_PATH_INVALID",
            "lineage.artifact_path",
        ),
        ("CreateModelVersion", version(name="x", aliases=["latest"]), "ALIAS_RESERVED", "aliases[0]"),
        ("CreateModelVersion", version(name="x", aliases=["a", "V12"]), "ALIAS_RESERVED", "aliases[1]"),
        ("SetAlias", model_pb2.SetAliasRequest(name="x", alias="a b", version=1), "ALIAS_INVALID", "'a b'"),
        (
            "SetAlias",
            model_pb2.SetAliasRequest(name="x", alias="a" * 251, version=1),
            "ALIAS_INVALID",
            "250",
        ),
        ("SetAlias", model_pb2.SetAliasRequest(name="x", alias="a"), "VERSION_INVALID", "version"),
        (
            "SetAlias",
            model_pb2.SetAliasRequest(name="x", alias="a", version=1 << 63),
            "VERSION_INVALID",
            "version",
        ),
        (
            "DeleteAlias",
            model_pb2.DeleteAliasRequest(name="x", alias="' OR 1=1 --"),
            "ALIAS_INVALID",
            "alias",
        ),
        (
            "UpdateRegisteredModel",
            model_pb2.UpdateRegisteredModelRequest(name="x"),
            "NOTHING_TO_CHANGE",
            "nothing",
        ),
        (
            "UpdateModelVersion",
            version_pb2.UpdateModelVersionRequest(name="x", version=1),
            "NOTHING_TO_CHANGE",
            "not",
        ),
        ("DeleteModelVersion", version_pb2.DeleteModelVersionRequest(name="x"), "VERSION_INVALID", "version"),
        (
            "TransitionModelVersion",
            version_pb2.TransitionModelVersionRequest(name="x", version=1),
            "STAGE_INVALID",
            "PRODUCTION",
        ),
        (
            "TransitionModelVersion",
            version_pb2.TransitionModelVersionRequest(
                name="x", version=1, stage=event.MODEL_STAGE_ARCHIVED, archive_existing=True
            ),
            "ARCHIVE_INVALID",
            "archive_existing",
        ),
        ("AddComment", model_history_pb2.AddCommentRequest(name="x", text="t" * 10_001), "TEXT_TOO_LONG", "10,000"),
        ("RequestApproval", model_approval_pb2.RequestApprovalRequest(name="x", version=1), "STAGE_INVALID", "stage"),
        ("DecideApproval", model_approval_pb2.DecideApprovalRequest(name="x"), "APPROVAL_INVALID", "number"),
    ]
    return found


def test_requests_that_write_name_what_is_wrong(embedded_target: str) -> None:
    with grpc.insecure_channel(embedded_target, options=[("grpc.max_send_message_length", -1)]) as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        for method, request, why, named in wrong_requests():
            answer = refused(lambda: getattr(stub, method)(request, timeout=SECONDS))  # noqa: B023
            assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", why), (method, why, answer)
            assert named in answer.message
        heavy = model_pb2.CreateRegisteredModelRequest(name="x", tags={f"k{n}": "v" * 90_000 for n in range(20)})
        answer = refused(lambda: stub.CreateRegisteredModel(heavy, timeout=SECONDS))
        assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE")


def test_reads_name_what_is_wrong(embedded_target: str) -> None:
    hostile = "x' OR 1=1; DROP TABLE registered_models --"
    with grpc.insecure_channel(embedded_target) as channel:
        stub = registry_pb2_grpc.RegistryQueryServiceStub(channel)
        search, versions = (
            model_pb2.SearchRegisteredModelsRequest,
            version_pb2.SearchModelVersionsRequest,
        )
        get, history = version_pb2.GetModelVersionRequest, model_history_pb2.ListModelHistoryRequest
        wrong: list[tuple[Callable[[], object], str]] = [
            (lambda: stub.SearchRegisteredModels(search(page_size=-1), timeout=SECONDS), "PAGE_SIZE_NEGATIVE"),
            (lambda: stub.SearchRegisteredModels(search(page_token="x"), timeout=SECONDS), "PAGE_TOKEN_INVALID"),
            (lambda: stub.SearchRegisteredModels(search(name_contains="n" * 501), timeout=SECONDS), "NAME_TOO_LONG"),
            (lambda: stub.SearchModelVersions(versions(run_ids=["x"]), timeout=SECONDS), "INVALID_ID"),
            (lambda: stub.SearchModelVersions(versions(stages=[NO_STAGE]), timeout=SECONDS), "STAGE_INVALID"),
            (lambda: stub.GetModelVersion(get(name="x", stage=NO_STAGE), timeout=SECONDS), "STAGE_INVALID"),
            (lambda: stub.GetModelVersion(get(name="x", alias="a b"), timeout=SECONDS), "ALIAS_INVALID"),
            (lambda: stub.GetModelVersion(get(name=""), timeout=SECONDS), "NAME_EMPTY"),
            (lambda: stub.ListModelHistory(history(model_id=1 << 63), timeout=SECONDS), "MODEL_ID_INVALID"),
            (lambda: stub.ListModelHistory(history(model_id=(1 << 63) - 1), timeout=SECONDS), "MODEL_NOT_FOUND"),
            (lambda: stub.GetModelVersion(get(name="x", version=(1 << 63) - 1), timeout=SECONDS), "MODEL_NOT_FOUND"),
        ]  # fmt: skip
        for call, why in wrong:
            assert refused(call).reason == why
        found = stub.SearchRegisteredModels(search(name_contains=hostile, tags={hostile: hostile}), timeout=SECONDS)
        assert list(found.models) == []
        assert refused(lambda: stub.GetModelVersion(get(name=hostile), timeout=SECONDS)).reason == "MODEL_NOT_FOUND"


def test_a_change_sent_again_has_the_answer_it_had(embedded_target: str, client: fleetlog.Client) -> None:
    with grpc.insecure_channel(embedded_target) as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        request = version_pb2.CreateModelVersionRequest(
            namespace="registry", request_id=new_random_id(), user="u", name="again", create_model=True, source="s"
        )
        first = stub.CreateModelVersion(request, timeout=SECONDS).version
        client.update_version("again", 1, description="changed since")
        assert stub.CreateModelVersion(request, timeout=SECONDS).version == first
        request.source = "another"
        answer = refused(lambda: stub.CreateModelVersion(request, timeout=SECONDS))
        assert (answer.code, answer.reason) == ("FAILED_PRECONDITION", "REQUEST_ID_REUSED")
        comment = model_history_pb2.AddCommentRequest(
            namespace="registry", request_id=new_random_id(), name="again", text="t"
        )
        said = stub.AddComment(comment, timeout=SECONDS).comment
        assert stub.AddComment(comment, timeout=SECONDS).comment == said
        assert said.time_millis > 0
    assert len(client.versions("again")) == 1
    assert len(client.model_comments("again")) == 1
    made = client.create_model("twice")
    assert client.create_model("twice", exist_ok=True) == made
    assert reason(lambda: client.create_model("twice")) == "MODEL_EXISTS"
