from __future__ import annotations

from fleetlog_core.registry.states import approval_of, model_of, shown_version, to_text, version_of
from fleetlog_proto.v1 import (
    model_approval_pb2,
    model_version_pb2,
    position_pb2,
    registered_model_pb2,
    registry_event_pb2,
    scope_pb2,
    selection_pb2,
)


def test_a_state_is_read_as_it_was_written_and_its_text_is_always_the_same() -> None:
    choice = selection_pb2.SelectRunsRequest(
        scope=scope_pb2.RunScope(filter="a < 'é\x00'", experiment_ids=[1, 2]),
        objectives=[selection_pb2.Objective(value="metrics.loss", direction=selection_pb2.DIRECTION_MINIMIZE)],
        confidence=0.9,
    )
    position = position_pb2.Position(offsets=[position_pb2.PartitionOffset(topic="events", next_offset=1 << 60)])
    version = model_version_pb2.ModelVersion(
        version=3, stage=registry_event_pb2.MODEL_STAGE_STAGING, tags={"b": "2", "a": '"\n'}, model_id=1 << 40,
        lineage=registry_event_pb2.ModelLineage(
            run_id="f" * 32, datasets=[registry_event_pb2.ModelDataset(name="d")],
            selection=registry_event_pb2.ModelSelection(request=choice, position=position),
        ),
    )  # fmt: skip
    assert version_of(to_text(version)) == version
    assert to_text(version_of(to_text(version))) == to_text(version)
    model = registered_model_pb2.RegisteredModel(name="m", aliases={"b": 3, "a": 3, "c": 2}, last_version=3)
    model.approval_policy.stages.append(registry_event_pb2.MODEL_STAGE_PRODUCTION)
    assert model_of(to_text(model)) == model
    approval = model_approval_pb2.Approval(number=1, stage=registry_event_pb2.MODEL_STAGE_NONE, archive_existing=True)
    assert approval_of(to_text(approval)) == approval
    shown = shown_version(version, model)
    assert (shown.name, list(shown.aliases)) == ("m", ["a", "b"])
    assert version.name == ""
