"""MLflow's filter strings mean here what they mean there. docs/filter.md has the same table in words."""

from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.order_key import parse_order_key
from fleetlog_query.language.plan import plan_of
from fleetlog_query.language.values import Key, TextOf

from tests.query.reference.evaluate import Row, matches

ROW = Row(
    attributes={
        "run_id": "a1b2c3d4", "name": "my-run", "user": "user1", "state": 2.0, "start_time": 1_670_000_000_000.0,
        "end_time": 1_670_000_600_000.0, "parent_run_id": None, "experiment_id": 3.0,
    },
    params={"alpha": (0.3, "0.3", 4), "lambda": (0.001, "0.001", 4), "model": (float("nan"), "CNN", 2),
            "model-type": (float("nan"), "Inception", 2), "layers": (10.0, "10", 3)},
    tags={"mlflow.user": "john@mlflow.com", "model": "sklearn.linear", "type": "A logistic one",
          "mlflow.parentRunId": "ffff", "production": "true"},
    metrics={"accuracy": 0.95, "error": 0.04, "f1 score": 0.7, "error rate": 0.1, "2019-04-02 error rate": 0.2},
    datasets=[{"name": "custom", "digest": "s8ds293b", "context": "train"},
              {"name": "other", "digest": "jks834s2", "context": ""}],
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Groups and their other names.
        ("metrics.accuracy > 0.92", True),
        ("metric.accuracy > 0.92", True),
        ("params.model = 'CNN'", True),
        ("param.model = 'CNN'", True),
        ("parameter.model = 'CNN'", True),
        ("parameters.model = 'CNN'", True),
        ("tags.production = 'true'", True),
        ("tag.production = 'true'", True),
        ("attributes.status = 'FINISHED'", True),
        ("attribute.status = 'FINISHED'", True),
        ("attr.status = 'FINISHED'", True),
        ("run.status = 'FINISHED'", True),
        ("status = 'FINISHED'", True),
        # Keys in quotes; values in either quote.
        ("metrics.`f1 score` > 0.5", True),
        ('metrics."error rate" <= 0.1', True),
        ('metrics."2019-04-02 error rate" = 0.2', True),
        ('params."model-type" = "Inception"', True),
        ('tags."mlflow.user" = "john@mlflow.com"', True),
        ("tags.`mlflow.user` = 'john@mlflow.com'", True),
        ("tags.mlflow.user = 'john@mlflow.com'", True),
        ("tags.`mlflow.parentRunId` = 'ffff'", True),
        # Comparators of numbers.
        ("metrics.accuracy = 0.95", True),
        ("metrics.accuracy != 0.95", False),
        ("metrics.accuracy >= 0.95 AND metrics.accuracy <= 0.95", True),
        ("metrics.accuracy < 1", True),
        ("metrics.error = -1", False),
        ("metrics.error <= 5e-2", True),
        # Comparators of texts.
        ("params.lambda = '0.001'", True),
        ("params.layers != '10'", False),
        ("tags.`model` LIKE 'sklearn%'", True),
        ("tags.model LIKE 'SKLEARN%'", False),
        ("tags.`type` ILIKE '%Logistic%'", True),
        ("params.model ILIKE 'c_n'", True),
        ("text(params.layers) < '4'", True),
        ("text(params.layers) = '10'", True),
        ("'4' > text(params.layers)", True),
        ("text(params.layers) LIKE '1%'", True),
        ("text(params.nothing) IS NULL", True),
        # Keywords in any case; AND between expressions.
        ("params.alpha = \"0.3\" and params.lambda = \"0.001\" and metrics.error <= 0.05", True),
        ("params.model like 'C%' And tags.type iLiKe '%ONE'", True),
        # Attributes and their other names.
        ("attributes.created > 1669999999999", True),
        ("attributes.Created > 1670000000000", False),
        ("attributes.start_time >= 1664067852747", True),
        ("attributes.end_time < 1664067852747", False),
        ("attributes.user_id = 'user1'", True),
        ("attributes.run_name = 'my-run'", True),
        ("attributes.`run name` = 'my-run'", True),
        ("attributes.`Run name` LIKE 'my%'", True),
        ("attributes.`Run Name` IN ('alpha', 'my-run')", True),
        ("run_name NOT IN ('alpha', 'beta')", True),
        ("attributes.run_id = 'a1b2c3d4'", True),
        ("attributes.run_id IN ('a1b2c3d4', 'e5f6g7h8')", True),
        ("run_id NOT IN ('a1b2c3d4')", False),
        ("attributes.status = 'SCHEDULED'", False),
        ("attributes.status != 'SCHEDULED'", True),
        ("attributes.status ILIKE 'fin%'", True),
        ("attributes.status IN ('RUNNING', 'FINISHED')", True),
        # Data that was read: each condition looks for one of the datasets.
        ("datasets.name = 'custom'", True),
        ("dataset.name LIKE '%her'", True),
        ("dataset.digest IN ('s8ds293b', 'nothing')", True),
        ("datasets.context = 'train' AND datasets.name = 'other'", True),
        ("dataset.context != 'train'", False),
        ("datasets.name != 'custom'", True),
        ("datasets.name = 'Custom'", False),
        ("datasets.name ILIKE 'CUST%'", True),
        ("datasets.name IS NULL", False),
        # A key that is missing matches neither = nor !=.
        ("tags.nothing != 'x'", False),
        ("params.nothing = 'x'", False),
        ("tags.nothing IS NULL", True),
        ("params.model IS NOT NULL", True),
    ],
)  # fmt: skip
def test_what_mlflow_can_say(text: str, expected: bool) -> None:
    assert matches(plan_of(text), ROW) is expected


@pytest.mark.parametrize(
    ("text", "key", "descending"),
    [
        ("metrics.accuracy DESC", Key("metrics", "accuracy"), True),
        ("metrics.`f1 score` asc", Key("metrics", "f1 score"), False),
        ('params."model-type"', Key("params", "model-type"), False),
        ("tag.`mlflow.user` Desc", Key("tags", "mlflow.user"), True),
        ("attribute.start_time DESC", Key("attributes", "start_time"), True),
        ("start_time ASC", Key("attributes", "start_time"), False),
        ("attributes.Created", Key("attributes", "start_time"), False),
        ("attributes.`Run name` DESC", Key("attributes", "name"), True),
        # MLflow's params are texts: its order of them is that of text().
        ("text(params.depth) DESC", TextOf(Key("params", "depth")), True),
        ("text(params.`model depth`)", TextOf(Key("params", "model depth")), False),
    ],
)
def test_what_mlflow_can_order_by(text: str, key: Key | TextOf, descending: bool) -> None:
    parsed = parse_order_key(text)
    assert (parsed.value, parsed.descending) == (key, descending)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attributes.artifact_uri = 'models:/mymodel/1'", "no URI"),
        ("attributes.lifecycle_stage = 'active'", "deleted runs"),
        ("attributes.status = 'ACTIVE'", "expected one of RUNNING, FINISHED, FAILED, KILLED, SCHEDULED"),
        ("datasets.source = 's3'", "there are name, digest, context"),
        ("text(params.depth) = 3", "expected a text in quotes for params.depth"),
        ("text(params.depth) + 1 = 3", "text\\(\\) is a text"),
        ("text(metrics.loss) = '3'", "metrics.loss is a number"),
        ("text(start_time) = '3'", "start_time is a number"),
        ("datasets.name < 3", "expected a text in quotes for datasets.name"),
    ],
)
def test_what_runs_here_do_not_have_is_said(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        plan_of(text)
