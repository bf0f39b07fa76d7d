"""Who wrote each record and what stands in it, as rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from fleetlog_core.log.port import EVENTS, Partition, Record
from fleetlog_core.warehouse.port import Coded
from fleetlog_core.warehouse.schema import EVERY_NAMESPACE, NO_EXPERIMENT, RECORD_SPAN
from fleetlog_ingest.materializer.control.record_details import NAME_CHARACTERS, details_of
from fleetlog_ingest.materializer.control.record_rows import log_rows
from fleetlog_ingest.materializer.fold.decoding import Decoded, decode
from fleetlog_ingest.materializer.fold.tables import Columns
from fleetlog_proto.v1 import event_pb2, frame_pb2, registry_event_pb2, token_event_pb2, webhook_event_pb2

from tests.ingest.materializer.builders import NOW, RUN, control, frame, metrics, params, record, start

ANN = frame_pb2.Caller(principal="ann", token_name="ci", gateway="gw-1")
OTHER = bytes(range(64, 80))


def rows(*records: Decoded, experiment: int = 7) -> list[dict[str, Any]]:
    """The rows of records, without those of times."""
    columns = log_rows(records, 3, lambda key: experiment)
    return [row for row in _rows(columns) if row["span"] == RECORD_SPAN]


def _rows(columns: Columns) -> list[dict[str, Any]]:
    lists = {}
    for name, column in columns.items():
        if isinstance(column, Coded):
            lists[name] = [column.texts[code] for code in column.codes.tolist()]
        else:
            lists[name] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def test_a_record_says_who_sent_it_by_which_token_through_which_gateway_and_when() -> None:
    sent = frame(start(name="first"), metrics(2, loss=[(3, 0.5), (1, 0.4)], acc=[(3, 0.1), (1, 0.2)]))
    sent.caller.CopyFrom(ANN)
    (row,) = rows(record(sent, 12))
    assert (row["topic"], row["part"], row["begin"], row["place"]) == (EVENTS, 0, 12, 0)
    assert (row["principal"], row["token_name"], row["gateway"], row["time"]) == ("ann", "ci", "gw-1", NOW)
    assert (row["namespace"], row["subject"], row["experiment"]) == ("default", RUN, 7)
    assert row["kinds"] == "run_started,metrics_logged"
    assert json.loads(row["detail"]) == {
        "run_started": {"names": ["first"], "fields": {}},
        "metrics_logged": {"names": ["loss", "acc"], "points": 4, "steps": [1, 3]},
    }


def test_every_record_has_a_row_whatever_is_in_it() -> None:
    heard = event_pb2.Event(sequence=1)
    heard.writers_heard.run_ids = heard.writers_heard.writer_ids = RUN
    broken = decode(Record(Partition(EVENTS, 0), 2, b"", b"\xff\xff", NOW))
    found = rows(record(frame(heard), 1), broken)
    assert [(row["begin"], row["namespace"], row["kinds"]) for row in found] == [
        (1, "", "writers_heard"), (2, "", "UNDECODABLE"),
    ]  # fmt: skip


def test_a_rewind_is_about_the_run_that_it_rewinds_too() -> None:
    event = event_pb2.Event(sequence=1)
    event.run_branched.source_run_id, event.run_branched.step, event.run_branched.rewinds = OTHER, 40, True
    assert [(row["place"], row["subject"]) for row in rows(record(frame(event), 5))] == [(0, RUN), (1, OTHER)]


def test_a_table_of_runs_is_about_each_of_them() -> None:
    event = event_pb2.Event(sequence=1)
    event.runs_imported.experiment_id = 4
    event.runs_imported.run_ids = RUN + OTHER
    found = rows(record(frame(event), 5), record(frame(event, run=OTHER), 6))
    assert [(row["begin"], row["place"], row["subject"], row["experiment"]) for row in found if row["begin"] == 5] == [
        (5, 0, RUN, 4), (5, 1, OTHER, 4),
    ]  # fmt: skip
    assert len(found) == 4
    assert json.loads(found[0]["detail"])["runs_imported"]["fields"]["runs"] == 2


def test_an_intent_has_its_request_and_no_secret() -> None:
    moved = frame_pb2.ControlRecord(
        model_alias_set=registry_event_pb2.ModelAliasSet(name="tiny-lm", alias="best", version=3)
    )
    hook = frame_pb2.ControlRecord(
        webhook_created=webhook_event_pb2.WebhookCreated(name="ops", url="https://x/?key=s3cret", sealed_secret=b"s3")
    )
    made = frame_pb2.ControlRecord(
        token_created=token_event_pb2.TokenCreated(
            token_id="ab", name="ci", principal="ann", salt=b"salty", digest=b"digested"
        )
    )
    model, webhook, token = rows(control(1, 0, moved), control(2, 1, hook), control(3, 2, made))
    assert json.loads(model["detail"]) == {
        "model_alias_set": {"fields": {"name": "tiny-lm", "alias": "best", "version": 3}}
    }
    assert model["request_id"] == (1).to_bytes(16, "big")
    assert model["experiment"] == NO_EXPERIMENT
    assert json.loads(webhook["detail"]) == {"webhook_created": {"fields": {"name": "ops"}}}
    assert (token["namespace"], json.loads(token["detail"])["token_created"]["fields"]["principal"]) == (
        EVERY_NAMESPACE, "ann",
    )  # fmt: skip
    for row in (webhook, token):
        assert not any(secret in row["detail"] for secret in ("s3", "salt", "digest"))


@pytest.mark.parametrize("steps", [[5], [9, 2, 4], list(range(200, 100, -1))])
def test_steps_are_a_range_whatever_their_order(steps: list[int]) -> None:
    event = metrics(1, loss=[(step, 0.0) for step in steps])
    assert details_of([event])["metrics_logged"]["steps"] == [min(steps), max(steps)]


def test_names_are_the_first_few_and_cut() -> None:
    many = params(1, **{f"k{number}": "v" for number in range(9)})
    assert details_of([many])["params_logged"] == {"names": ["k0", "k1", "k2", "k3", "k4"], "total": 9}
    (name,) = details_of([start(name="x" * 400)])["run_started"]["names"]
    assert len(name) == NAME_CHARACTERS


def test_events_of_one_kind_are_told_of_once() -> None:
    told = details_of([metrics(1, loss=[(1, 0.0)]), metrics(2, loss=[(2, 0.0)], acc=[(2, 0.0)])])
    assert told == {"metrics_logged": {"names": ["loss", "acc"], "points": 3, "steps": [1, 2], "events": 2}}
