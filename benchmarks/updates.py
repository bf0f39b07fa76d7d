"""Training that goes on while others search: new values for runs of a fleet, from a process of their own.

A client that writes waits, when it searches, until its own writes can be read; who only searches does not.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import fleetlog

BATCHES_A_SECOND = 20


@contextmanager
def updates(target: str, experiment: str, run_ids: Sequence[str]) -> Iterator[None]:
    """While it lasts: 20 times a second, 20 metrics of each fifth of the runs."""
    command = [sys.executable, "-m", "benchmarks.updates", target, experiment, *run_ids]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate()


def main(target: str, experiment: str, run_ids: Sequence[str]) -> None:
    """Write until the standard input ends."""
    rng, stop = random.Random(5), threading.Event()

    def listen() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    runs = [fleetlog.start_run(experiment, run_id=run_id, resume=True, target=target) for run_id in run_ids]
    step = 1_000
    while not stop.wait(1 / BATCHES_A_SECOND):
        step += 1
        for run in runs[step % 5 :: 5]:
            run.log({f"metric_{i}": rng.random() for i in range(20)}, step=step)
        if step == 1_020:
            print("they land", flush=True)
    for run in runs:
        run.finish()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
