"""Issues, scorers and evaluation datasets of MLflow's tracking store: documents of fleetlog."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities.issue import IssueSeverity, IssueStatus
from mlflow.exceptions import MlflowException

from tests.mlflow_plugin.test_store_registry import refusal

WRITERS = 3


@pytest.fixture(scope="module")
def store(embedded_target: str) -> FleetlogStore:
    return FleetlogStore(f"fleetlog://{embedded_target}/genai")


def test_an_issue_is_made_changed_and_found(store: FleetlogStore) -> None:
    experiment = store.create_experiment("issues")
    made = store.create_issue(experiment, "slow", "é", root_causes=["tokens"], severity=IssueSeverity.LOW)
    severe = store.create_issue(experiment, "wrong", "text", severity=IssueSeverity.HIGH, created_by="eve")
    store.create_issue(store.create_experiment("other issues"), "elsewhere", "text")
    assert store.get_issue(made.issue_id) == made
    assert [one.name for one in store.search_issues(experiment)] == ["wrong", "slow"]
    changed = store.update_issue(made.issue_id, status=IssueStatus.RESOLVED, description="done")
    assert (changed.status, changed.description, changed.name) == (IssueStatus.RESOLVED, "done", "slow")
    assert store.get_issue(made.issue_id) == changed
    assert [one.issue_id for one in store.search_issues(experiment, "status = 'pending'")] == [severe.issue_id]
    assert store.search_issues(experiment, "source_run_id != 'x'") == []
    page = store.search_issues(experiment, max_results=1, include_trace_count=True)
    assert [(one.name, one.trace_count) for one in page] == [("wrong", 0)]
    assert [one.name for one in store.search_issues(experiment, max_results=1, page_token=page.token)] == ["slow"]
    assert refusal(store.get_issue, "iss-nobody") == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.get_issue, "x" * 10_000) == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.create_issue, experiment, "n", "d", source_run_id="nobody") == "INVALID_PARAMETER_VALUE"


def test_versions_of_a_scorer_have_numbers_that_are_given_once(store: FleetlogStore) -> None:
    experiment = store.create_experiment("scorers")
    registered = [store.register_scorer(experiment, "a/b", json.dumps({"n": number})) for number in range(3)]
    store.register_scorer(experiment, "Ab", "{}")
    assert [one.scorer_version for one in registered] == [1, 2, 3]
    assert [(one.scorer_name, one.scorer_version) for one in store.list_scorers(experiment)] == [("Ab", 1), ("a/b", 3)]
    store.delete_scorer(experiment, "a/b", 3)
    assert store.get_scorer(experiment, "a/b")._serialized_scorer == '{"n": 1}'
    assert store.register_scorer(experiment, "a/b", "{}").scorer_version == 4
    assert [one.scorer_version for one in store.list_scorer_versions(experiment, "a/b")] == [1, 2, 4]
    assert len({one.scorer_id for one in store.list_scorer_versions(experiment, "a/b")}) == 1
    other = store.create_experiment("other scorers")
    store.register_scorer(other, "a/b", "{}")
    found = store.list_scorers_across_experiments([other, experiment])
    assert [(one.experiment_id, one.scorer_version) for one in found] == [(other, 1), (experiment, 1), (experiment, 4)]
    store.delete_scorer(experiment, "a/b")
    assert refusal(store.get_scorer, experiment, "a/b") == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.delete_scorer, experiment, "Ab", 7) == "RESOURCE_DOES_NOT_EXIST"
    gateway = json.dumps({"instructions_judge_pydantic_data": {"model": "gateway:/mine"}})
    assert refusal(store.register_scorer, experiment, "judge", gateway) == "RESOURCE_DOES_NOT_EXIST"
    assert store.get_online_scoring_configs(["x"]) == store.get_active_online_scorers() == []


def test_records_are_merged_by_their_inputs(store: FleetlogStore) -> None:
    dataset = store.create_dataset("qa", {"mlflow.user": "eve", "k": "v"}, ["0"])
    first = [{"inputs": {"q": number}, "expectations": {"a": number}, "tags": {"n": "1"}} for number in range(5)]
    assert store.upsert_dataset_records(dataset.dataset_id, [*first, first[0]]) == {"inserted": 5, "updated": 1}
    again = {"inputs": {"q": 0}, "outputs": [1], "expectations": {"b": 2.5}, "tags": {"mlflow.user": "bob"}}
    assert store.upsert_dataset_records(dataset.dataset_id, [again]) == {"inserted": 0, "updated": 1}
    records, token = store._load_dataset_records(dataset.dataset_id)
    assert (len(records), token) == (5, None)
    merged = next(one for one in records if one.inputs == {"q": 0})
    assert (merged.outputs, merged.expectations, merged.last_updated_by) == ([1], {"a": 0, "b": 2.5}, "bob")
    assert merged.tags == {"n": "1", "mlflow.user": "bob"}
    kept = store.get_dataset(dataset.dataset_id)
    assert json.loads(kept.profile or "") == {"num_records": 5}
    assert json.loads(kept.schema or "")["expectations"] == {"a": "integer", "b": "float"}
    assert (kept.last_updated_by, kept.created_by) == ("bob", "eve")
    assert kept.digest != dataset.digest
    some, token = store._load_dataset_records(dataset.dataset_id, max_results=3)
    rest, end = store._load_dataset_records(dataset.dataset_id, max_results=3, page_token=token)
    assert [one.dataset_record_id for one in [*some, *rest]] == [one.dataset_record_id for one in records]
    assert end is None
    assert store.delete_dataset_records(dataset.dataset_id, [merged.dataset_record_id, "nobody"]) == 1
    assert json.loads(store.get_dataset(dataset.dataset_id).profile or "") == {"num_records": 4}
    store.delete_dataset(dataset.dataset_id)
    assert store._load_dataset_records(dataset.dataset_id) == ([], None)
    assert refusal(store.upsert_dataset_records, dataset.dataset_id, first) == "RESOURCE_DOES_NOT_EXIST"


def test_datasets_are_searched_by_experiment_and_tag(store: FleetlogStore) -> None:
    ids = [store.create_experiment(f"datasets {number}") for number in range(2)]
    one = store.create_dataset("search-1", {"team": "speed"}, [ids[0]])
    store.create_dataset("search-2", {"team": "quality"}, ids)
    store.create_dataset("search-3", None, [ids[1]])

    def names(**asked: Any) -> list[str]:
        return [found.name for found in store.search_datasets(order_by=["name"], **asked)]

    assert names(experiment_ids=[ids[0]]) == ["search-1", "search-2"]
    assert names(filter_string="tags.team != 'speed' AND name LIKE 'search-%'") == ["search-2"]
    assert names(filter_string=f"created_time >= {one.created_time} AND name ILIKE 'SEARCH-1'") == ["search-1"]
    assert refusal(store.search_datasets, filter_string="name > 'x'") == "INVALID_PARAMETER_VALUE"
    store.set_dataset_tags(one.dataset_id, {"team": "both", "gone": None})
    store.delete_dataset_tag(one.dataset_id, "nothing")
    assert store.get_dataset(one.dataset_id).tags == {"team": "both"}
    store.add_dataset_to_experiments(one.dataset_id, [ids[1]])
    store.remove_dataset_from_experiments(one.dataset_id, [ids[0], "77"])
    assert store.get_dataset_experiment_ids(one.dataset_id) == [ids[1]]
    assert refusal(store.add_dataset_to_experiments, one.dataset_id, ["999999"]) == "RESOURCE_DOES_NOT_EXIST"


def test_many_who_write_at_once_lose_nothing(embedded_target: str, store: FleetlogStore) -> None:
    experiment, dataset = store.create_experiment("race"), store.create_dataset("race")
    failed: list[Exception] = []

    def write(number: int) -> None:
        own = FleetlogStore(f"fleetlog://{embedded_target}/genai")
        try:
            for turn in range(2):
                own.register_scorer(experiment, "s", json.dumps({"of": number}))
                records: list[dict[str, Any]] = [{"inputs": {"q": turn}}, {"inputs": {"q": f"{number}/{turn}"}}]
                own.upsert_dataset_records(dataset.dataset_id, records)
        except MlflowException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [one.scorer_version for one in store.list_scorer_versions(experiment, "s")] == list(range(1, 7))
    records, _ = store._load_dataset_records(dataset.dataset_id)
    assert len(records) == 2 + WRITERS * 2
    assert json.loads(store.get_dataset(dataset.dataset_id).profile or "") == {"num_records": len(records)}
