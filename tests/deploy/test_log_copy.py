from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import fleetlog as client
import pytest
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.port import CONTROL, EVENTS
from fleetlog_core.log.sqlite import SqliteLog

from tests.core.log.kafka.own_topics import own_topics, settings_for
from tests.deploy.processes import fleetlog, up


@pytest.fixture
def settings(kafka_server: str) -> Iterator[KafkaSettings]:
    with own_topics(kafka_server, 1) as made:
        yield made


def url_of(settings: KafkaSettings) -> str:
    return f"kafka://{','.join(settings.bootstrap)}/{settings.prefix}"


def write(data: Path, records: int, size: int = 10) -> None:
    with closing(SqliteLog(data / "log" / "events.sqlite")) as log:
        futures = [log.append(EVENTS, b"run", os.urandom(size)) for _ in range(records)]
        futures.append(log.append(CONTROL, b"", b"one"))
        for future in futures:
            future.result(10)


def test_a_server_moves_to_kafka_and_back_with_all_its_runs(settings: KafkaSettings, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with up(old, "--port", "0") as server:
        with client.start_run("moved", "one", params={"lr": 0.1}, target=server.target) as run:
            for step in range(500):
                run.log({"x": float(step)}, step=step)
        # The log of a server that runs is not copied: it might grow meanwhile.
        (held,) = fleetlog(("log", "copy", old, url_of(settings)))
        assert held.code == 1
        assert f"is held by process {server.process.pid}" in held.err
        assert server.stop(signal.SIGTERM) == 0
    (there,) = fleetlog(("log", "copy", old, url_of(settings), "--verify"))
    assert (there.code, there.err) == (0, "")
    assert there.out.endswith(" in 3 partitions, the same in both, compared byte for byte\n")
    (back,) = fleetlog(("log", "copy", url_of(settings), new, "--verify"))
    assert (back.code, back.err, back.out) == (0, "", there.out)
    with up(new, "--port", "0") as server:
        deadline = time.monotonic() + 60
        while not (found := client.Client(server.target).get_runs([run.id])) or found[0].state != "FINISHED":
            assert time.monotonic() < deadline, "the copy was not folded"
        assert found[0].params == {"lr": 0.1}
        assert client.Client(server.target).get_run(run.id).summary("x").count == 500
        assert server.stop(signal.SIGTERM) == 0


def test_a_second_copy_adds_what_is_new(settings: KafkaSettings, tmp_path: Path) -> None:
    write(tmp_path, 20)
    (first,) = fleetlog(("log", "copy", tmp_path, url_of(settings)))
    assert first.out == "21 records copied; 21 in 3 partitions, the same in both\n"
    write(tmp_path, 3)
    (second,) = fleetlog(("log", "copy", tmp_path, url_of(settings), "--verify"))
    assert second.out == "4 records copied; 25 in 3 partitions, the same in both, compared byte for byte\n"
    (nothing,) = fleetlog(("log", "copy", tmp_path, url_of(settings)))
    assert nothing.out.startswith("0 records copied; 25 ")


def test_what_can_not_be_copied_is_told_in_a_line(settings: KafkaSettings, tmp_path: Path) -> None:
    data, other, wide = tmp_path / "data", tmp_path / "other", tmp_path / "wide"
    for directory in (data, other):
        write(directory, 5)
    with closing(SqliteLog(wide / "log" / "events.sqlite", {EVENTS: 4})):
        pass
    missing = url_of(settings_for(settings.bootstrap[0]))
    absent, unmade, narrow, foreign, itself, unnamed = fleetlog(
        ("log", "copy", tmp_path / "nowhere", url_of(settings)),
        ("log", "copy", data, missing),
        ("log", "copy", wide, url_of(settings)),
        ("log", "copy", url_of(settings), missing),
        ("log", "copy", other, other),
        ("log", "copy", "kafka://broker/x", other),
    )
    assert {ended.code for ended in (absent, unmade, narrow, foreign, itself, unnamed)} == {1}
    assert absent.err.startswith(f"fleetlog: there is no log in {tmp_path / 'nowhere'}: ")
    assert unmade.err.endswith(f"For this copy: fleetlog topics create {missing} --partitions 1\n")
    assert f"{settings.prefix}.events has 1 partitions and the source 4" in narrow.err
    assert "no topic " in foreign.err
    assert itself.err == f"fleetlog: {other} can't be copied onto itself\n"
    assert "'kafka://broker/x' is no log" in unnamed.err

    assert fleetlog(("log", "copy", data, url_of(settings)))[0].code == 0
    (mixed,) = fleetlog(("log", "copy", other, url_of(settings)))
    assert mixed.code == 1
    assert "that is another log" in mixed.err
