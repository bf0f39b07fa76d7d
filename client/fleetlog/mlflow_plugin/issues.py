"""Issues: what is wrong with an experiment's traces, as MLflow's tracking store has it. A document each."""

from __future__ import annotations

import time
import uuid

from mlflow.entities.issue import Issue, IssueSeverity, IssueStatus
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_ISSUES_DEFAULT_MAX_RESULTS
from mlflow.utils.search_utils import SearchIssuesUtils, SearchUtils

from fleetlog.mlflow_plugin.documents import DocumentStore, Kept, changed, put_of, until_first
from fleetlog.mlflow_plugin.errors import invalid, missing, translated
from fleetlog.mlflow_plugin.experiment_ids import experiment_number
from fleetlog.mlflow_plugin.page_sizes import check_max_results
from fleetlog.mlflow_plugin.page_tokens import page_start

KIND = "issue"


class IssueStore(DocumentStore):
    """Issues of the namespace."""

    def create_issue(
        self,
        experiment_id: str,
        name: str,
        description: str,
        status: IssueStatus = IssueStatus.PENDING,
        severity: IssueSeverity | None = None,
        root_causes: list[str] | None = None,
        source_run_id: str | None = None,
        categories: list[str] | None = None,
        created_by: str | None = None,
    ) -> Issue:
        """Returns the new issue, of an experiment that is active and a run that is there."""
        experiment = self.read_experiment(experiment_id)
        if experiment.deleted:
            raise missing(f"No Experiment with id={experiment_id} exists")
        if source_run_id is not None:
            self._check_run(source_run_id)
        now = time.time_ns() // 1_000_000
        issue = Issue(
            issue_id=f"iss-{uuid.uuid4().hex}",
            experiment_id=str(experiment.experiment_id),
            name=name,
            description=description,
            status=status,
            created_timestamp=now,
            last_updated_timestamp=now,
            severity=severity,
            root_causes=root_causes or None,
            source_run_id=source_run_id,
            categories=categories or None,
            created_by=created_by,
        )
        with translated():
            self.put_documents(put_of(KIND, issue.issue_id, issue.to_dictionary(), parent_id=issue.experiment_id))
        return issue

    def get_issue(self, issue_id: str) -> Issue:
        """Returns an issue."""
        with translated():
            return Issue.from_dictionary(self._issue(issue_id).body)

    def update_issue(
        self,
        issue_id: str,
        status: IssueStatus | None = None,
        name: str | None = None,
        description: str | None = None,
        severity: IssueSeverity | None = None,
    ) -> Issue:
        """Returns the issue as it was changed; what is None stays."""
        given = {
            "status": None if status is None else status.value,
            "name": name,
            "description": description,
            "severity": None if severity is None else severity.value,
        }

        def attempt() -> Issue:
            before = self._issue(issue_id)
            body = {**before.body, **{key: value for key, value in given.items() if value is not None}}
            body["last_updated_timestamp"] = time.time_ns() // 1_000_000
            self.put_documents(changed(KIND, before, body))
            return Issue.from_dictionary(body)

        return until_first(attempt)

    def search_issues(
        self,
        experiment_id: str | None = None,
        filter_string: str | None = None,
        max_results: int | None = None,
        page_token: str | None = None,
        include_trace_count: bool = False,
    ) -> PagedList[Issue]:
        """Returns a page of issues, the severest and then the latest first. There are no traces: none has any."""
        if max_results is not None:
            check_max_results(max_results)
        count = max_results or SEARCH_ISSUES_DEFAULT_MAX_RESULTS
        first = page_start(page_token)
        conditions = SearchIssuesUtils.parse_search_filter(filter_string) if filter_string else []
        parents = None
        if experiment_id:
            parents = [str(experiment_number(experiment_id))]
        with translated():
            found = [Issue.from_dictionary(one.body) for one in self.find_documents(KIND, parent_ids=parents)]
        kept = [
            issue
            for issue in found
            if all(_holds(getattr(issue, each["key"]), each["comparator"], each["value"]) for each in conditions)
        ]
        kept.sort(key=lambda issue: (_rank(issue), issue.created_timestamp, issue.issue_id), reverse=True)
        page = kept[first : first + count]
        if include_trace_count:
            for issue in page:
                issue.trace_count = 0
        more = first + count < len(kept)
        return PagedList(page, SearchUtils.create_page_token(first + count) if more else None)

    def _issue(self, issue_id: str) -> Kept:
        found = self.find_document(KIND, str(issue_id))
        if found is None:
            raise missing(f"Issue with ID '{issue_id}' not found")
        return found

    def _check_run(self, run_id: str) -> None:
        try:
            self.writers.read(run_id)
        except MlflowException as error:
            raise invalid(
                f"source_run_id: there is no run '{run_id}' (FOREIGN KEY constraint failed); give one that is there"
            ) from error


def _rank(issue: Issue) -> int:
    return -1 if issue.severity is None else list(IssueSeverity).index(issue.severity)


def _holds(value: str | None, comparator: str, wanted: str) -> bool:
    """True if a condition holds; none does of what an issue does not have."""
    return value is not None and bool(SearchUtils.get_comparison_func(comparator)(str(value), wanted))
