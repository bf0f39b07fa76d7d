"""Texts that somebody chose for what a terminal makes of them, and terminals that can't show every text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fleetlog
import grpc
import pytest
from fleetlog_core.errors import NotFound
from fleetlog_core.printable import HIDDEN, printable
from fleetlog_core.serving.status import DETAILS_KEY, to_status
from fleetlog_proto.v1 import experiment_pb2, facets_pb2, query_pb2, run_pb2

from tests.client.cli.terminal import on_terminal, piped
from tests.client.strange import strange_server

NAME = "pay\u202e001\u200b\x9b31m[red]\U000e0041 étude 日本 🚀"
TEXT = "x\x1b]0;owned\x07\x1b[2J\r\nname\tother\u2066\x7f\ufeff[bold]"
KEY = "loss\u202e\x1b[31m"
ENCODINGS = ["utf-8", "ascii", "cp1252"]


@dataclass(frozen=True)
class Odd:
    """A run with odd texts on a server that is as it should be."""

    target: str
    run_id: str
    other_id: str


@pytest.fixture(scope="module")
def odd(embedded_target: str) -> Odd:
    ids = []
    for number in range(2):
        with fleetlog.start_run(
            "odd texts", f"{NAME}{number}", params={"text": f"{TEXT}{number}"}, tags={"note": f"{TEXT}{number}"},
            target=embedded_target,
        ) as run:  # fmt: skip
            run.log({"loss": 1.0 + number})
            ids.append(run.id)
    fleetlog.Client(embedded_target).flush(level="applied")
    return Odd(embedded_target, *ids)


def commands(odd: Odd) -> Iterator[list[str]]:
    everything = "name,params.text,tags.note,metrics.loss"
    yield ["runs", "search", "-e", "odd texts", "--columns", everything]
    yield ["runs", "get", odd.run_id]
    yield ["runs", "diff", odd.run_id, odd.other_id]
    yield ["values", "tags.note", "-e", "odd texts"]
    yield ["metrics", "show", odd.run_id, "loss", "--run", odd.other_id]
    yield ["select", "-e", "odd texts", "--minimize", "metrics.loss", "--group-by", "tags.note"]


def seen(text: str) -> str:
    """The hidden characters of an output, but for those that lay it out."""
    return "".join(HIDDEN.findall(text.replace("\n", "").replace("\t", "")))


def test_no_command_lets_a_text_reach_the_terminal_or_a_pipe_as_it_is(odd: Odd) -> None:
    for command in commands(odd):
        for answer in (piped(odd.target, *command), on_terminal(odd.target, 200, *command)):
            assert answer.code == 0, answer.err
            assert not seen(answer.out), command
            assert not seen(answer.err), command


def test_a_text_stays_in_its_line_and_its_cell_and_can_be_read(odd: Odd) -> None:
    answer = piped(odd.target, *next(commands(odd)))
    rows = [line.split("\t") for line in answer.lines]
    assert [len(row) for row in rows] == [5, 5, 5]
    assert rows[1][1:4] == [printable(f"{NAME}1"), printable(f"{TEXT}1"), printable(f"{TEXT}1")]
    assert "[red]" in on_terminal(odd.target, 300, *next(commands(odd))).out


def test_json_is_exact_and_has_no_raw_control_either(odd: Odd) -> None:
    for encoding in ("utf-8", "ascii"):
        answer = piped(odd.target, "runs", "get", odd.run_id, "--json", encoding=encoding)
        assert not seen(answer.out)
        found = json.loads(answer.out)
        assert (found["name"], found["params"]["text"], found["tags"]["note"]) == (f"{NAME}0", f"{TEXT}0", f"{TEXT}0")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_terminal_of_fewer_characters_shows_the_others_as_escapes(odd: Odd, encoding: str) -> None:
    answer = piped(odd.target, *next(commands(odd)), encoding=encoding)
    assert (answer.code, answer.err) == (0, "")
    _, first, _ = answer.lines
    assert ("日本" in first) == (encoding == "utf-8")
    assert ("é" in first) == (encoding != "ascii")
    assert ("\\u65e5\\u672c \\U0001f680" in first) == (encoding != "utf-8")


def test_what_a_server_makes_up_is_shown_as_escapes_too() -> None:
    def keys(request: Any, context: Any) -> facets_pb2.ListKeysResponse:
        one = facets_pb2.KeyFacet(kind=facets_pb2.KEY_KIND_METRIC, key=KEY, runs=1)
        return facets_pb2.ListKeysResponse(keys=[one])

    def experiments(request: Any, context: Any) -> query_pb2.ListExperimentsResponse:
        return query_pb2.ListExperimentsResponse(experiments=[experiment_pb2.Experiment(experiment_id=1, name=KEY)])

    def search(request: Any, context: Any) -> query_pb2.SearchRunsResponse:
        run = run_pb2.Run(run_id="0" * 32, name=NAME, user=TEXT, metrics=[run_pb2.MetricSummary(key=KEY, last=1.0)])
        return query_pb2.SearchRunsResponse(runs=[run])

    def refuse(request: Any, context: grpc.ServicerContext) -> None:
        status = to_status(NotFound("\x1b[2J", "no"))
        status.message = f"there is no {TEXT}"
        context.set_trailing_metadata(((DETAILS_KEY, status.SerializeToString()),))
        context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {TEXT}")

    with strange_server(ListKeys=keys, ListExperiments=experiments, SearchRuns=search, GetRun=refuse) as target:
        for command in (["keys"], ["experiments", "ls"], ["runs", "search"], ["runs", "get", "0" * 32]):
            answer = piped(target, *command)
            assert answer.code == (1 if "get" in command else 0), answer.err
            assert not seen(answer.out + answer.err), command
            assert "\\x1b" in answer.out + answer.err, command
        with pytest.raises(fleetlog.FleetlogError) as caught:
            fleetlog.Client(target).get_run("0" * 32)
    assert caught.value.reason == "NOT_FOUND"
    assert not HIDDEN.search(str(caught.value))
