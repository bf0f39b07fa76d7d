from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fleetlog
import jsonschema
import pytest
from fleetlog_query.web.methods import METHODS
from fleetlog_query.web.pages import OPENAPI

from tests.query.web.http import QUERY, Http

DOCUMENT = json.loads(OPENAPI.read_text(encoding="utf-8"))


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def validated(answer: object, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)


def test_every_call_is_described_and_none_that_is_not_there() -> None:
    calls = {path for path, item in DOCUMENT["paths"].items() if "post" in item}
    assert calls == set(METHODS)
    for path in calls:
        operation: dict[str, Any] = DOCUMENT["paths"][path]["post"]
        assert operation["summary"], path
        assert operation["description"].startswith(operation["summary"]), path


def test_every_reference_leads_to_a_schema_and_every_schema_is_one() -> None:
    named = set(references(DOCUMENT))
    known = {
        f"#/components/{kind}/{name}" for kind, parts in DOCUMENT["components"].items() for name in parts
    }  # fmt: skip
    assert named <= known
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", ["LogRunRequest", "SearchRunsRequest", "GetRunResponse", "Error"])
def test_fields_say_what_they_are(name: str) -> None:
    properties = DOCUMENT["components"]["schemas"][name]["properties"]
    assert properties
    assert sum("description" in one or "$ref" in one for one in properties.values()) > len(properties) // 2


def test_what_the_server_says_is_what_is_described(http: Http, embedded_target: str) -> None:
    with fleetlog.start_run("openapi", params={"a": 1, "b": "c"}, target=embedded_target) as run:
        run.log({"x": float("nan"), "y": 1.0}, step=1)
        run.flush(level="applied")
    answer = http.call(f"{QUERY}/GetRun", {"runId": run.id})
    assert answer.json["run"]["metrics"][0]["last"] == "NaN"
    validated(answer.json, "GetRunResponse")
    validated(http.call(f"{QUERY}/SearchRuns", {"experimentNames": ["openapi"]}).json, "SearchRunsResponse")
    validated(http.call(f"{QUERY}/GetRun", {"runId": "x"}).json, "Error")
    assert http.get("/openapi.json").json == DOCUMENT
