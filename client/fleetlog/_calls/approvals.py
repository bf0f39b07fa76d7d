"""Approvals of moves, and comments. Each is one decision, made in the order of the server's log; who asks is kept."""

from __future__ import annotations

from fleetlog_proto.v1 import model_approval_pb2, model_history_pb2

from fleetlog._calls.models import number_of, stage_of
from fleetlog._calls.version_changes import VersionChangeCalls
from fleetlog._values import arguments
from fleetlog._views.models import Approval, ModelComment, Stage


class ApprovalCalls(VersionChangeCalls):
    """Comments, and moves that somebody asks for and another one decides."""

    def add_model_comment(
        self, name: str, text: str, *, version: int | None = None, user: str | None = None
    ) -> ModelComment:
        """Comment on a model, or on one of its versions.

        Args:
            name: Name of the model.
            text: What is to be said.
            version: Number of the version; None = the model itself.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or version.

        Examples:
            >>> made = client.create_model("tiny-lm", exist_ok=True)
            >>> client.add_model_comment("tiny-lm", "needs an evaluation").text
            'needs an evaluation'

        """
        request = model_history_pb2.AddCommentRequest(
            name=arguments.one_text("name", name), text=arguments.one_text("text", text),
            version=0 if version is None else number_of(version),
        )  # fmt: skip
        return ModelComment.of(self._changed(self._connection.registry.AddComment, request, user).comment)

    def request_transition(
        self,
        name: str,
        version: int,
        stage: Stage,
        *,
        archive_existing: bool = False,
        comment: str = "",
        user: str | None = None,
    ) -> Approval:
        """Ask that a version moves to a stage. It does when somebody approves it.

        Args:
            name: Name of the model.
            version: Number of the version, from 1.
            stage: "None", "Staging", "Production" or "Archived".
            archive_existing: As in transition.
            comment: Why, for those who decide and for the history.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or version.

        Examples:
            >>> made = client.register_model("asked-lm", run=run, artifact_path="ckpt")
            >>> client.request_transition("asked-lm", 1, "Production", comment="best so far").state
            'pending'

        """
        request = model_approval_pb2.RequestApprovalRequest(
            name=arguments.one_text("name", name), version=number_of(version), stage=stage_of(stage),
            archive_existing=arguments.flag("archive_existing", archive_existing),
            comment=arguments.one_text("comment", comment),
        )  # fmt: skip
        return Approval.of(self._changed(self._connection.registry.RequestApproval, request, user).approval)

    def request_alias(
        self, name: str, alias: str, version: int, *, comment: str = "", user: str | None = None
    ) -> Approval:
        """Ask that an alias names a version. It does when somebody approves it.

        Args:
            name: Name of the model.
            alias: Alias that is to name it.
            version: Number of the version, from 1.
            comment: Why, for those who decide and for the history.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            NotFound: There is no such model or version.

        Examples:
            >>> made = client.register_model("asked-alias-lm", run=run, artifact_path="ckpt")
            >>> client.request_alias("asked-alias-lm", "champion", 1).number
            1

        """
        request = model_approval_pb2.RequestApprovalRequest(
            name=arguments.one_text("name", name), version=number_of(version),
            alias=arguments.one_text("alias", alias), comment=arguments.one_text("comment", comment),
        )  # fmt: skip
        return Approval.of(self._changed(self._connection.registry.RequestApproval, request, user).approval)

    def approve(self, name: str, number: int, *, comment: str = "", user: str | None = None) -> Approval:
        """Approve what was asked for: it is done with this.

        Args:
            name: Name of the model.
            number: Number of the approval, as request_transition and request_alias give it.
            comment: Why, for those who decide and for the history.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            FailedPrecondition: APPROVAL_DECIDED: somebody was first.

        Examples:
            >>> made = client.register_model("approved-lm", run=run, artifact_path="ckpt")
            >>> asked = client.request_transition("approved-lm", 1, "Production")
            >>> client.approve("approved-lm", asked.number).state
            'approved'

        """
        return self._decide(name, number, True, comment, user)

    def reject(self, name: str, number: int, *, comment: str = "", user: str | None = None) -> Approval:
        """Reject what was asked for.

        Args:
            name: Name of the model.
            number: Number of the approval, as request_transition and request_alias give it.
            comment: Why, for those who decide and for the history.
            user: Who asks, as the history tells it; None = the user of this process.

        Raises:
            FailedPrecondition: APPROVAL_DECIDED: somebody was first.

        Examples:
            >>> made = client.register_model("rejected-lm", run=run, artifact_path="ckpt")
            >>> asked = client.request_alias("rejected-lm", "champion", 1)
            >>> client.reject("rejected-lm", asked.number, comment="too slow").state
            'rejected'

        """
        return self._decide(name, number, False, comment, user)

    def _decide(self, name: str, number: int, approved: bool, comment: str, user: str | None) -> Approval:
        request = model_approval_pb2.DecideApprovalRequest(
            name=arguments.one_text("name", name), number=number_of(number, "number"), approved=approved,
            comment=arguments.one_text("comment", comment),
        )  # fmt: skip
        return Approval.of(self._changed(self._connection.registry.DecideApproval, request, user).approval)
