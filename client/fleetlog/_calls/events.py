"""Who did what: records of the log with whoever sent them, and calls that were denied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from fleetlog_core.errors import InvalidArgument
from fleetlog_proto.v1 import audit_pb2, query_pb2

from fleetlog._calls.base import PAGE, Calls
from fleetlog._transport.answers import pages, understood
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf, as_of_message
from fleetlog._values.position import Position
from fleetlog._views.events import DeniedCall, LoggedEvent
from fleetlog._views.views import Experiment

When = datetime | timedelta | float | str
"""A time by fleetlog_core.times, or how long ago, also as text: "2h"."""


class EventCalls(Calls):
    """Who did what on the server."""

    def events(
        self,
        run_id: arguments.AnyRun | None = None,
        *,
        experiment: str | int | Experiment | None = None,
        model: str | None = None,
        principal: str = "",
        token: str = "",
        kinds: str | Sequence[str] = (),
        since: When | None = None,
        until: When | None = None,
        as_of: AsOf | None = None,
        latest_first: bool = False,
        limit: int | None = None,
        messages: bool = False,
        all_namespaces: bool = False,
    ) -> Iterator[LoggedEvent]:
        """Who did what, in the order of the log: each record with its time, who sent it, and what stands in it.

        Args:
            run_id: Only what is about this run.
            experiment: Only what is about this experiment and its runs: its name, its number, or an Experiment.
            model: Only what was accepted of this registered model and its versions.
            principal: Only what this user or service sent.
            token: Only what was sent with the token of this name.
            kinds: Only these, such as "run_finished"; none = all.
            since: Only what the log took then or later; a time or how long ago ("2h").
            until: Only what it took before then.
            as_of: As it was then, as in search_runs; None = now.
            latest_first: Whether the latest come first.
            limit: How many at the most; None = all, page by page as they are taken.
            messages: Whether each has its whole message, read from the log: up to 64 KiB, without points and secrets.
            all_namespaces: Whether it is of all namespaces, and of the server's tokens: for admins of "*".

        Raises:
            NotFound: There is no such run, experiment or model.
            PermissionDenied: The caller may not read the namespace, or all of them.

        Examples:
            >>> event = next(client.events(run, kinds="run_started"))
            >>> event.kinds[0], event.summary.startswith("run started")
            ('run_started', True)

        """
        subjects = [one for one in (run_id, experiment, model) if one is not None]
        if len(subjects) > 1:
            raise InvalidArgument.of_field(
                "SUBJECT_AMBIGUOUS", "run_id", "give a run, an experiment or a model, and not two of them"
            )
        request = audit_pb2.ListEventsRequest(
            namespace="*" if arguments.flag("all_namespaces", all_namespaces) else self.namespace,
            principal=arguments.one_text("principal", principal), token_name=arguments.one_text("token", token),
            kinds=arguments.texts("kinds", kinds), since_millis=_millis("since", since),
            until_millis=_millis("until", until), as_of=as_of_message(as_of),
            latest_first=arguments.flag("latest_first", latest_first), with_json=arguments.flag("messages", messages),
            page_size=PAGE if limit is None else min(PAGE, arguments.count("limit", limit, 1)),
            at_least=self._connection.position(),
        )  # fmt: skip
        if run_id is not None:
            request.run_id = arguments.run_id(run_id)
        elif model is not None:
            request.model = arguments.one_text("model", model)
        elif experiment is not None:
            request.experiment_id = self._number(experiment)
        return self._events(request, limit)

    def denied_calls(self, *, all_namespaces: bool = False) -> list[DeniedCall]:
        """The last calls that the server denied, the latest first: up to 1,000 of each of its processes.

        Args:
            all_namespaces: Whether those of all namespaces are listed, with those that showed no valid token: for
                admins of "*"; otherwise those of this client's namespace.

        Raises:
            PermissionDenied: The caller is admin of no namespace.

        Examples:
            >>> client.denied_calls()
            []

        """
        wide = arguments.flag("all_namespaces", all_namespaces)
        request, connection = audit_pb2.ListDenialsRequest(), self._connection
        found: dict[tuple[str, int], audit_pb2.Denial] = {}
        for service in (connection.auth, connection.query):
            # Two processes, or one that answers twice.
            answer = connection.call(service.ListDenials, request, self.timeout)
            seen = [one for one in answer.denials if wide or one.namespace == self.namespace]
            found |= {(one.server, one.number): one for one in seen}
        with understood(self.target, "ListDenials"):
            return [DeniedCall.of(one) for one in sorted(found.values(), key=lambda one: -one.time_millis)]

    def _events(self, request: audit_pb2.ListEventsRequest, limit: int | None) -> Iterator[LoggedEvent]:
        connection, count = self._connection, 0
        for page in pages(connection, connection.query.ListEvents, request, self.timeout):
            for one in page.events:
                with understood(self.target, "an event"):
                    event = LoggedEvent.of(one, json.loads(one.json) if one.json else None)
                yield event
                count += 1
                if count == limit:
                    return

    def _number(self, experiment: str | int | Experiment) -> int:
        """Number of an experiment. NotFound."""
        given = arguments.experiment(experiment)
        if isinstance(given, int):
            return given
        connection = self._connection
        request = query_pb2.GetExperimentRequest(
            namespace=self.namespace, name=given, at_least=connection.position()
        )  # fmt: skip
        return connection.call(connection.query.GetExperiment, request, self.timeout).experiment.experiment_id


def _millis(name: str, when: When | None) -> int:
    """Unix milliseconds; 0 for None. InvalidArgument."""
    if isinstance(when, Position):
        raise InvalidArgument.of_field("TIME_INVALID", name, "it is a position; give a time, or how long ago")
    message = as_of_message(when)
    return 0 if message is None else max(1, message.time_millis)
