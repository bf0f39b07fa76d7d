from __future__ import annotations

import pytest
from fleetlog.mlflow_plugin.filters import run_filter, run_order
from mlflow.exceptions import MlflowException

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("", ""),
        ("metrics.loss < 0.5 and params.lr = '0.1'", "metrics.`loss` < 0.5 AND params.`lr` = '0.1'"),
        ("params.`learning rate` LIKE '%it''s%'", "params.`learning rate` LIKE '%it''''s%'"),
        ("tags.a IS NULL", "tags.`a` IS NULL"),
        ("attributes.run_id IN ('a', 'b')", "attributes.run_id IN ('a', 'b')"),
        ("datasets.name = 'x'", "datasets.name = 'x'"),
        # Milliseconds, however few.
        ("attributes.Created > 1", "attributes.start_time > '1970-01-01T00:00:00.001+00:00'"),
        # A state that there is not is no error to MLflow.
        ("attributes.status = 'blah'", "attributes.state IS NULL"),
        ("attributes.status != 'blah'", "attributes.state IS NOT NULL"),
        # Runs that are lost are failed to MLflow.
        ("status = 'FAILED'", "attributes.state IN ('FAILED', 'LOST')"),
        ("status != 'FAILED'", "attributes.state NOT IN ('FAILED', 'LOST')"),
        ("status = 'LOST'", "attributes.state IS NULL"),
    ],
)
def test_a_filter_of_mlflow_says_the_same_here(text: str, here: str) -> None:
    assert run_filter(text).text == here


def test_what_only_the_plugin_knows_is_asked_of_each_run() -> None:
    found = run_filter("attributes.artifact_uri LIKE '%x%' AND metrics.loss < 1")
    assert found.text == "metrics.`loss` < 1"
    assert len(found.beside) == 1


def test_params_are_ordered_as_the_texts_that_they_are_to_mlflow() -> None:
    order = ["params.depth DESC", "metrics.loss", "attributes.created ASC", "tags.`a b` DESC"]
    assert run_order(order) == [
        "text(params.`depth`) DESC", "metrics.`loss` ASC", "attributes.start_time ASC", "tags.`a b` DESC"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["params.a = 1", "metrics.a = 'x'", "attributes.nothing = 'x'", "a OR b", "params.a ="]
)
def test_what_mlflow_refuses_is_refused(text: str) -> None:
    with pytest.raises(MlflowException):
        run_filter(text)
