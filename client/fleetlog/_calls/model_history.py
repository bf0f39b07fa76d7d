"""What was said about registered models, and what happened to them."""

from __future__ import annotations

from fleetlog_proto.v1 import model_approval_pb2, model_history_pb2

from fleetlog._calls.base import PAGE, Calls
from fleetlog._transport.answers import pages
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf, as_of_message
from fleetlog._views.models import DECISIONS, Approval, Decision, Model, ModelComment, ModelEvent

_UINT = (1 << 63) - 1


class ModelHistoryCalls(Calls):
    """Reads of what happened to registered models. Models that are not there: NotFound."""

    def model_comments(self, name: str, version: int | None = None, *, as_of: AsOf | None = None) -> list[ModelComment]:
        """Comments on a model and its versions, the oldest first.

        Args:
            name: Name of the model.
            version: Number of the version; 0 = comments on the model itself; None = all.
            as_of: When, as in search_runs; None = now.

        Raises:
            NotFound: There is no such model.

        Examples:
            >>> made = client.create_model("talked-about", exist_ok=True)
            >>> told = client.add_model_comment("talked-about", "ready?")
            >>> client.model_comments("talked-about")[0].text
            'ready?'

        """
        request = model_history_pb2.ListCommentsRequest(
            namespace=self.namespace, name=arguments.one_text("name", name),
            version=arguments.maybe_count("version", version, 0, _UINT), page_size=PAGE,
            at_least=self._connection.position(), as_of=as_of_message(as_of),
        )  # fmt: skip
        connection, found = self._connection, list[ModelComment]()
        for page in pages(connection, connection.registry_query.ListComments, request, self.timeout):
            found += map(ModelComment.of, page.comments)
        return found

    def approvals(self, name: str, state: Decision | None = None, *, as_of: AsOf | None = None) -> list[Approval]:
        """Approvals that were asked for, by number.

        Args:
            name: Name of the model.
            state: "pending", "approved" or "rejected"; None = all.
            as_of: When, as in search_runs; None = now.

        Raises:
            NotFound: There is no such model.

        Examples:
            >>> made = client.create_model("tiny-lm", exist_ok=True)
            >>> client.approvals("tiny-lm", "pending")
            []

        """
        any_state = model_approval_pb2.APPROVAL_STATE_UNSPECIFIED
        wanted = any_state if state is None else DECISIONS[arguments.choice("state", state, DECISIONS)]
        request = model_approval_pb2.ListApprovalsRequest(
            namespace=self.namespace, name=arguments.one_text("name", name), state=wanted, page_size=PAGE,
            at_least=self._connection.position(), as_of=as_of_message(as_of),
        )  # fmt: skip
        connection, found = self._connection, list[Approval]()
        for page in pages(connection, connection.registry_query.ListApprovals, request, self.timeout):
            found += map(Approval.of, page.approvals)
        return found

    def model_history(
        self, name: str | Model, version: int | None = None, *, limit: int = 1_000, as_of: AsOf | None = None
    ) -> list[ModelEvent]:
        """What happened to a model and its versions, the latest first.

        Args:
            name: Name of the model; or a Model, which tells it also when it was renamed or deleted since.
            version: Number of the version; 0 = the model itself; None = all.
            limit: Maximum of entries.
            as_of: When, as in search_runs; None = now.

        Raises:
            NotFound: There is no such model.

        Examples:
            >>> made = client.create_model("tiny-lm", exist_ok=True)
            >>> len(client.model_history("tiny-lm", limit=1))
            1

        """
        most = arguments.count("limit", limit, 1)
        request = model_history_pb2.ListModelHistoryRequest(
            namespace=self.namespace, name="" if isinstance(name, Model) else arguments.one_text("name", name),
            model_id=name.id if isinstance(name, Model) else None,
            version=arguments.maybe_count("version", version, 0, _UINT), page_size=min(PAGE, most),
            at_least=self._connection.position(), as_of=as_of_message(as_of),
        )  # fmt: skip
        connection, found = self._connection, list[ModelEvent]()
        for page in pages(connection, connection.registry_query.ListModelHistory, request, self.timeout):
            found += map(ModelEvent.of, page.entries)
            if len(found) >= most:
                break
        return found[:most]
