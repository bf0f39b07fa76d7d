"""Approvals: a change that is asked for, and done once somebody approves it. Pure."""

from __future__ import annotations

from fleetlog_core.errors import shown
from fleetlog_core.registry.states import Kind
from fleetlog_core.rules.registry import stage_name
from fleetlog_proto.v1 import model_approval_pb2, model_history_pb2, registry_event_pb2

from fleetlog_ingest.materializer.control.outcome import Refused
from fleetlog_ingest.materializer.control.registry_decision import Approval, Decision, Entry
from fleetlog_ingest.materializer.control.registry_models import point_alias
from fleetlog_ingest.materializer.control.registry_versions import move_version

_WORDS = {
    model_approval_pb2.APPROVAL_STATE_APPROVED: "approved",
    model_approval_pb2.APPROVAL_STATE_REJECTED: "rejected",
}


def request_approval(decision: Decision, intent: registry_event_pb2.ModelApprovalRequested) -> None:
    """Refused MODEL_NOT_FOUND, VERSION_NOT_FOUND."""
    decision.find(intent.name)
    decision.version(intent.version)
    decision.model.last_approval += 1
    decision.touch()
    approval = Approval(
        number=decision.model.last_approval,
        version=intent.version,
        archive_existing=intent.archive_existing,
        state=model_approval_pb2.APPROVAL_STATE_PENDING,
        user=decision.user,
        comment=intent.comment,
        create_time_millis=decision.time,
        model_id=decision.model.model_id,
    )
    if intent.WhichOneof("change") == "alias":
        approval.alias = intent.alias
    else:
        approval.stage = intent.stage
    decision.change_approval(approval)
    _tell(decision, approval, model_history_pb2.MODEL_ACTION_APPROVAL_REQUESTED, intent.comment)
    decision.result = f"{decision.model.model_id}/{approval.number}"


def decide_approval(decision: Decision, intent: registry_event_pb2.ModelApprovalDecided) -> None:
    """Refused MODEL_NOT_FOUND, APPROVAL_NOT_FOUND, APPROVAL_DECIDED; approved, VERSION_NOT_FOUND, TOO_MANY_ALIASES."""
    decision.find(intent.name)
    model_id, name = decision.model.model_id, shown(decision.model.name)
    before = decision.registry.approvals.get((model_id, intent.number))
    if before is None:
        raise Refused("APPROVAL_NOT_FOUND", f"number: model {name} has no approval {intent.number}")
    if before.state != model_approval_pb2.APPROVAL_STATE_PENDING:
        who = f" by {shown(before.decision_user)}" if before.decision_user else ""
        raise Refused(
            "APPROVAL_DECIDED",
            f"number: approval {intent.number} of model {name} was {_WORDS.get(before.state, 'decided')} already{who}",
        )
    approval = Approval()
    approval.CopyFrom(before)
    approval.state = (
        model_approval_pb2.APPROVAL_STATE_APPROVED if intent.approved else model_approval_pb2.APPROVAL_STATE_REJECTED
    )
    approval.decision_user, approval.decision_comment = decision.user, intent.comment
    approval.decision_time_millis = decision.time
    decision.change_approval(approval)
    decision.touch()
    action = model_history_pb2.MODEL_ACTION_APPROVED if intent.approved else model_history_pb2.MODEL_ACTION_REJECTED
    _tell(decision, approval, action, intent.comment)
    if intent.approved:
        decision.approved_by(approval.number)
        if approval.WhichOneof("change") == "alias":
            point_alias(decision, approval.alias, approval.version)
        else:
            move_version(decision, approval.version, approval.stage, approval.archive_existing)
    decision.result = f"{model_id}/{approval.number}"


def _tell(
    decision: Decision, approval: Approval, action: model_history_pb2.ModelAction.ValueType, comment: str
) -> None:
    by_alias = approval.WhichOneof("change") == "alias"
    decision.tell(
        Entry(
            (Kind.APPROVAL, approval.number), action, approval.version,
            subject=approval.alias if by_alias else "stage",
            new_value=str(approval.version) if by_alias else stage_name(approval.stage),
            comment=comment, approval=approval.number,
        )
    )  # fmt: skip
