"""Calls are paused, ended and waited for; at the process's end gRPC does nothing any more that Python could cut off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from fleetlog._transport.calls_in_progress import PAUSE_SECONDS, UnderWay

from tests.client.processes import ended, said, train


class Waiting:
    """A stream that answers nothing, with a thread of its own as gRPC names its own; it ends when it is let."""

    def __init__(self, *, ends: bool = True) -> None:
        self.ends = ends
        self.over = threading.Event()
        self._callbacks: list[object] = []
        self.thread = threading.Thread(target=self._run, name="Thread-7 (_run)", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.over.wait()
        for callback in self._callbacks:
            assert callable(callback)
            callback()

    def __iter__(self) -> Iterator[object]:
        return iter(())

    def cancel(self) -> bool:
        if self.ends:
            self.over.set()
        return self.ends

    def add_callback(self, callback: object) -> bool:
        self._callbacks.append(callback)
        return not self.over.is_set()


def test_a_pause_ends_streams_and_waits_for_their_threads() -> None:
    under_way = UnderWay()
    streams = [under_way.begin(Waiting) for _ in range(3)]
    assert under_way.pause(PAUSE_SECONDS)
    assert all(isinstance(stream, Waiting) and not stream.thread.is_alive() for stream in streams)


def test_what_does_not_end_is_not_waited_for_without_end() -> None:
    under_way = UnderWay()
    stream = Waiting(ends=False)
    under_way.begin(lambda: stream)
    assert not under_way.end_streams(0.01)
    stream.over.set()
    assert under_way.end_streams(PAUSE_SECONDS)


def test_a_pause_waits_for_calls_and_the_end_does_not() -> None:
    under_way = UnderWay()
    with under_way.calling():
        assert under_way.end_streams(0.0)
        assert not under_way.pause(0.01)
    assert under_way.pause(0.0)


@pytest.mark.parametrize("kind", ["call", "stream"])
def test_nothing_begins_until_it_goes_on(kind: str) -> None:
    under_way = UnderWay()
    assert under_way.pause(0.0)
    began: Future[bool] = Future()
    resumed = threading.Event()

    def begin() -> None:
        with under_way.calling() if kind == "call" else under_way.streaming(Waiting):
            began.set_result(resumed.is_set())

    thread = threading.Thread(target=begin)
    thread.start()
    resumed.set()
    under_way.resume()
    assert began.result(10.0)
    thread.join()


def test_a_stream_that_ended_at_once_is_forgotten() -> None:
    under_way = UnderWay()
    stream = Waiting()
    stream.cancel()
    stream.thread.join()
    under_way.begin(lambda: stream)
    assert under_way.end_streams(0.0)


def test_a_process_ends_with_a_watch_open(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    """What Python cuts off may hold what tearing the watch down waits for: the process would never end."""
    script = f"""
        import atexit, threading
        run = fleetlog.start_run({experiment!r})
        changes = fleetlog.Client().watch_runs(experiments=[{experiment!r}], read_mask=["metrics"])
        next(changes)
        run.log({{"x": 1.0}}, step=0)
        next(changes)
        atexit._run_exitfuncs()
        print(json.dumps([run.id, *[thread.name for thread in threading.enumerate()]]))
        """
    done = train(script, tmp_path, embedded_target)
    assert done.returncode == 0, done.stderr
    run_id, *threads = said(done)
    assert [name for name in threads if "(_run)" in name] == []
    assert ended(embedded_target, run_id).state == "FINISHED"
