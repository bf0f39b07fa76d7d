"""Experiments: listed, made and changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import experiment_pb2, ingest_pb2, query_pb2

from fleetlog._calls.base import PAGE, Calls, Deleted, view
from fleetlog._transport.answers import bad_answer, check_same, pages, understood
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf, as_of_message
from fleetlog._views.views import Experiment

_ORDERS: dict[str, query_pb2.ExperimentOrder.ValueType] = {
    "number": query_pb2.EXPERIMENT_ORDER_NUMBER,
    "name": query_pb2.EXPERIMENT_ORDER_NAME,
    "last_start": query_pb2.EXPERIMENT_ORDER_LAST_START,
}


class ExperimentCalls(Calls):
    """Experiments of the namespace, and namespaces."""

    def experiments(
        self,
        *,
        contains: str = "",
        order_by: Literal["number", "name", "last_start"] = "number",
        activity: bool = False,
        deleted: Deleted = "active",
        as_of: AsOf | None = None,
    ) -> list[Experiment]:
        """All experiments.

        Args:
            contains: Only those with this text in their name, in upper or lower case.
            order_by: "number", "name", or "last_start": the one whose run started last first.
            activity: True fills `activity`: how many runs each has, and when the last ones started and ended.
            deleted: "active", "deleted" or "all" experiments.
            as_of: When, as in search_runs; None = now. Then they have the names of then, and no tags.

        Returns:
            A list of Experiment.

        Examples:
            >>> [one.name for one in client.experiments()]
            ['Default', 'speedrun']
            >>> client.experiments(contains="speed", activity=True)[0].activity.runs
            1

        """
        request = query_pb2.ListExperimentsRequest(
            namespace=self.namespace,
            page_size=PAGE,
            contains=arguments.one_text("contains", contains),
            order_by=_ORDERS[arguments.choice("order_by", order_by, _ORDERS)],
            activity=arguments.flag("activity", activity),
            deleted_view=view(deleted),
            at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )
        connection, found = self._connection, list[Experiment]()
        for page in pages(connection, connection.query.ListExperiments, request, self.timeout):
            # Older servers tell none.
            known = page.activities or [None] * len(page.experiments)
            if len(known) != len(page.experiments):
                raise bad_answer(self.target, f"{len(known):,} activities of {len(page.experiments):,} experiments")
            with understood(self.target, "an experiment"):
                found += map(Experiment.of, page.experiments, known)
        return found

    def namespaces(self, contains: str = "") -> list[str]:
        """Namespaces of the server in which there is something and that one may read, by name.

        Args:
            contains: Only those with this text in them, in upper or lower case.

        Raises:
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> "docs" in client.namespaces()
            True

        """
        connection, found = self._connection, list[str]()
        request = query_pb2.ListNamespacesRequest(
            contains=arguments.one_text("contains", contains), page_size=PAGE, at_least=connection.position()
        )
        for page in pages(connection, connection.query.ListNamespaces, request, self.timeout):
            found += page.namespaces
        return found

    def get_experiment(self, which: str | int | Experiment) -> Experiment:
        """One experiment by name or number.

        Args:
            which: Its name, its number or an Experiment, which is read again.

        Raises:
            NotFound: There is none.

        Examples:
            >>> client.get_experiment("speedrun").id
            1

        """
        request = query_pb2.GetExperimentRequest(namespace=self.namespace, at_least=self._connection.position())
        known = arguments.experiment(which, "which")
        if isinstance(known, int):
            request.experiment_id = known
        else:
            request.name = known
        found = self._connection.call(self._connection.query.GetExperiment, request, self.timeout).experiment
        answered = found.experiment_id if isinstance(known, int) else found.name
        check_same(self.target, "the experiment", answered, known)
        return self._checked(found)

    def _checked(self, message: experiment_pb2.Experiment, experiment_id: int | None = None) -> Experiment:
        """The experiment, which is the one that was asked for by its number."""
        if experiment_id is not None:
            check_same(self.target, "the experiment", message.experiment_id, experiment_id)
        with understood(self.target, "an experiment"):
            return Experiment.of(message)

    def create_experiment(
        self, name: str, tags: Mapping[str, object] | None = None, *, exist_ok: bool = False
    ) -> Experiment:
        """Make an experiment. start_run makes one too, when it is not there.

        Args:
            name: 1 to 500 characters.
            tags: Texts by key.
            exist_ok: Answer with the one there is, as it is, instead of AlreadyExists.

        Raises:
            AlreadyExists: The name is taken.
            InvalidArgument: The name or a tag can't be.

        Examples:
            >>> client.create_experiment("ablations", tags={"team": "a"}).name
            'ablations'

        """
        request = ingest_pb2.CreateExperimentRequest(
            namespace=self.namespace,
            request_id=new_random_id(),
            name=arguments.one_text("name", name),
            tags=arguments.tags(tags),
            exist_ok=arguments.flag("exist_ok", exist_ok),
        )
        response = self._connection.call(self._connection.ingest.CreateExperiment, request, self.timeout)
        self._connection.saw(response.position)
        check_same(self.target, "the experiment", response.experiment.name, request.name)
        return self._checked(response.experiment)

    def update_experiment(
        self, experiment_id: int | Experiment, *, name: str | None = None, tags: Mapping[str, object] | None = None
    ) -> Experiment:
        """Rename an experiment, or set tags of it.

        Args:
            experiment_id: Its number, or an Experiment.
            name: Another name, 1 to 500 characters; None = as it is.
            tags: Texts by key, beside those that it has.

        Returns:
            The Experiment as it is now.

        Raises:
            NotFound: There is none of this number.
            AlreadyExists: The name is taken.

        Examples:
            >>> client.update_experiment(client.get_experiment("speedrun"), tags={"goal": "3.28"}).tags
            {'goal': '3.28'}

        """
        number = arguments.experiment_id(experiment_id)
        request = ingest_pb2.UpdateExperimentRequest(
            namespace=self.namespace,
            request_id=new_random_id(),
            experiment_id=number,
            name=None if name is None else arguments.one_text("name", name),
            tags=arguments.tags(tags),
        )
        response = self._connection.call(self._connection.ingest.UpdateExperiment, request, self.timeout)
        self._connection.saw(response.position)
        return self._checked(response.experiment, number)

    def delete_experiment(self, experiment_id: int | Experiment) -> Experiment:
        """Hide an experiment and its runs from searches; its data stays.

        Args:
            experiment_id: Its number, or an Experiment.

        Raises:
            NotFound: There is none of this number.

        Examples:
            >>> old = client.create_experiment("old")
            >>> client.delete_experiment(old).deleted
            True

        """
        number = arguments.experiment_id(experiment_id)
        request = ingest_pb2.DeleteExperimentRequest(
            namespace=self.namespace, request_id=new_random_id(), experiment_id=number
        )
        response = self._connection.call(self._connection.ingest.DeleteExperiment, request, self.timeout)
        self._connection.saw(response.position)
        return self._checked(response.experiment, number)

    def restore_experiment(self, experiment_id: int | Experiment) -> Experiment:
        """Bring a deleted experiment back.

        Args:
            experiment_id: Its number, or an Experiment.

        Raises:
            NotFound: There is none of this number.

        Examples:
            >>> old = client.delete_experiment(client.create_experiment("older"))
            >>> client.restore_experiment(old).deleted
            False

        """
        number = arguments.experiment_id(experiment_id)
        request = ingest_pb2.RestoreExperimentRequest(
            namespace=self.namespace, request_id=new_random_id(), experiment_id=number
        )
        response = self._connection.call(self._connection.ingest.RestoreExperiment, request, self.timeout)
        self._connection.saw(response.position)
        return self._checked(response.experiment, number)
