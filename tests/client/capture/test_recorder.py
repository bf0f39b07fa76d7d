"""The process's recorder: what it tells, once, in bounded time, and never by an error."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout

import pytest
from fleetlog._capture import inputs as inputs_module
from fleetlog._capture import recorder as module
from fleetlog._capture.recorder import Recorder
from fleetlog._capture.recording import Inputs, Recording
from fleetlog._capture.switches import Switches, switches
from fleetlog._capture.system_counters import Counters

from tests.waiting import reached


class Kept:
    """What reaches a run."""

    def __init__(self, run_id: bytes = b"1" * 16) -> None:
        self.run_id = run_id
        self.tags: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.metrics: list[tuple[int, Mapping[str, float]]] = []
        self.losses: list[str] = []

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags.update(tags)

    def keep_file(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def remove_file(self, path: str) -> None:
        del self.files[path]

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.metrics.append((step, metrics))

    def lose(self, reason: str) -> None:
        self.losses.append(reason)


class Broken(Kept):
    """A run that takes nothing."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        raise RuntimeError("no tags today")

    def keep_file(self, path: str, content: bytes) -> None:
        raise MemoryError("no files today")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Switches]:
    """The times that the machine was asked for inputs."""
    found: list[Switches] = []

    def collected(on: Switches, gpus: object) -> Iterator[Inputs]:
        found.append(on)
        yield Inputs({"host.name": "here"})
        yield Inputs(files={"requirements.txt": b"numpy==2\n"})

    monkeypatch.setattr(inputs_module, "collected", collected)
    monkeypatch.setattr(module, "END_SECONDS", 60.0)
    return found


class Slow:
    """A machine that answers when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.may_answer = threading.Event(), threading.Event()
        monkeypatch.setattr(inputs_module, "collected", self._collected)

    def _collected(self, on: Switches, gpus: object) -> Iterator[Inputs]:
        yield Inputs({"host.name": "here"})
        self.asked.set()
        assert self.may_answer.wait(120)
        yield Inputs({"git.commit": "abc"})


def recording(sink: Kept, *names: str) -> Recording:
    return Recording(sink, switches(names), "folder", lambda: True, time.monotonic())


def test_inputs_are_asked_for_once_and_told_to_each_run(asked: list[Switches]) -> None:
    recorder, sinks = Recorder(), [Kept(b"%016d" % number) for number in range(3)]
    for sink in sinks:
        one = recording(sink, "environment")
        recorder.begin(one)
        recorder.end(one)
    assert len(asked) == 1
    assert all(sink.tags == {"host.name": "here"} for sink in sinks)
    assert all(sink.files == {"captured/requirements.txt": b"numpy==2\n"} for sink in sinks)


def test_a_run_that_is_recorded_already_is_not_recorded_twice(asked: list[Switches]) -> None:
    recorder, first, second = Recorder(), Kept(), Kept()
    one, again = recording(first, "console"), recording(second, "console")
    with redirect_stdout(io.StringIO()) as out:
        recorder.begin(one)
        recorder.begin(again)
        print("once")
        recorder.end(again)
        print("twice")
        recorder.end(one)
        assert "write" not in vars(out)
    assert second.files == {}
    assert first.files["captured/console/folder/00001.log"].count(b"\n") == 2


def test_errors_of_the_run_and_of_the_machine_reach_nobody(
    asked: list[Switches], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_recorder", Recorder())
    one = recording(Broken(), "environment", "console")
    with redirect_stdout(io.StringIO()) as out:
        module.begin(one)
        print("hello")
        module.end(one)
    assert out.getvalue() == "hello\n"
    assert "write" not in vars(out)


def test_a_system_without_threads_left_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(name: str, target: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module, "started", none_left)
    monkeypatch.setattr(module, "_recorder", Recorder())
    one = recording(Kept(), "console")
    with redirect_stdout(io.StringIO()) as out:
        module.begin(one)
        module.end(one)
        assert "write" not in vars(out)


def test_samples_go_on_behind_a_look_that_failed(asked: list[Switches], monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def read() -> Counters:
        looks.append(1)
        if len(looks) == 2:
            raise OSError("no /proc for a moment")
        return Counters(float(len(looks)), 0.1 * len(looks))

    monkeypatch.setattr(module, "read_counters", read)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    recorder, sink = Recorder(), Kept()
    one = Recording(sink, Switches(frozenset({"system"}), system_seconds=0.01), "folder", lambda: False, 0.0)
    recorder.begin(one)
    reached(lambda: len(sink.metrics) >= 3)
    recorder.end(one)
    assert [step for step, _ in sink.metrics][:3] == [0, 1, 2]
    assert sink.metrics[1][1] == {"system/process_cpu_utilization_percentage": pytest.approx(10.0)}


def test_the_thread_ends_with_the_last_run(asked: list[Switches]) -> None:
    recorder = Recorder()
    one = recording(Kept(), "environment")
    recorder.begin(one)
    thread = recorder._thread
    assert thread is not None
    recorder.end(one)
    reached(lambda: not thread.is_alive())


def test_a_run_ends_without_inputs_that_are_late_and_gets_them_when_they_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine, recorder, sinks = Slow(monkeypatch), Recorder(), [Kept(b"%016d" % number) for number in range(3)]
    for sink in sinks:
        one = recording(sink, "environment")
        recorder.begin(one)
        recorder.end(one)
    assert machine.asked.wait(120)
    assert sinks[0].tags == {"host.name": "here"}
    machine.may_answer.set()
    reached(lambda: all(sink.tags == {"host.name": "here", "git.commit": "abc"} for sink in sinks))
    recorder.give_up()
    assert [sink.losses for sink in sinks] == [[], [], []]


def test_inputs_that_are_not_there_when_the_process_ends_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine, recorder, late, open_ = Slow(monkeypatch), Recorder(), Kept(b"1" * 16), Kept(b"2" * 16)
    one, other = recording(late, "environment"), recording(open_, "environment")
    recorder.begin(one)
    recorder.begin(other)
    recorder.end(one)
    assert machine.asked.wait(120)
    recorder.give_up()
    recorder.give_up()
    machine.may_answer.set()
    reached(lambda: other.are_inputs_told)
    assert late.tags == {"host.name": "here"}
    assert late.losses == ["CAPTURE_LATE"]
    assert open_.tags == {"host.name": "here", "git.commit": "abc"}
