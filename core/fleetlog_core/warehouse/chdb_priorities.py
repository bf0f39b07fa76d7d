"""Priorities in chDB, and its pauses: merges come after whatever else waits, and small inserts before those.

What a batch inserted can be read at once; that its parts are merged can wait. At the same priority the merges of a
load take half of the processor from the load itself, and from searches beside it. Somebody waits for a search; for a
small batch, of runs that go on, hardly anybody does, and each takes as much as a search. A load's inserts are as
important as anything: behind searches they would be next to the merges.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

INSERTS_NICE = 3
"""They get half of what others do, and all that others leave."""
MERGES_NICE = 5
"""They get a third of what others do, and all that others leave. With less, the parts of steady small writes pile up,
and reads open them all."""
MEMORY_WORKER_MILLIS = 1_000
"""Milliseconds between looks of the engine at its memory; at its own 50 they are most of what it costs when idle."""
MERGE_LOOK_SECONDS = 3.0
"""Seconds between looks at a table for merges that nothing asked for. An insert and the end of a merge ask for the next
one; at the engine's own 0.1, growing slowly, forty tables were most of what it costs when idle."""
STREAM_LOOK_SECONDS = 60.0
"""Seconds between its looks for streaming queries, which are not used."""
_CONFIG = (
    "<clickhouse><os_threads_nice_value_merge_mutate>{}</os_threads_nice_value_merge_mutate>"
    f"<memory_worker_period_ms>{MEMORY_WORKER_MILLIS}</memory_worker_period_ms>"
    "<background_processing_pool_thread_sleep_seconds_if_nothing_to_do>"
    f"{MERGE_LOOK_SECONDS}</background_processing_pool_thread_sleep_seconds_if_nothing_to_do>"
    "<background_streaming_processing_pool_thread_sleep_seconds_if_nothing_to_do>"
    f"{STREAM_LOOK_SECONDS}</background_streaming_processing_pool_thread_sleep_seconds_if_nothing_to_do></clickhouse>"
)
_THREADS = "MergeMutate"


@contextmanager
def config_file() -> Iterator[str]:
    """The path of the engine's settings, which it reads when it is opened. The engine obeys this one for root alone."""
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(_CONFIG.format(_behind(MERGES_NICE)))
        file.flush()
        yield file.name


def put_merges_back() -> bool:
    """Gives merges the lowest priority, for an owner who may lower the priority of its threads and not raise it again.

    False when there are no such threads yet: they come with the first table. Linux alone has priorities of threads.
    """
    found = False
    for task in Path("/proc/self/task").glob("*"):
        with suppress(OSError):
            if (task / "comm").read_text().strip() == _THREADS:
                os.setpriority(os.PRIO_PROCESS, int(task.name), _behind(MERGES_NICE))
                found = True
    return found


def put_inserts_back() -> None:
    """For the thread that calls it, and for good. Linux alone has priorities of threads."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _behind(INSERTS_NICE))


def _behind(nice: int) -> int:
    """The priority, or that of the process where this is lower: root could take more than `nice` gave the process."""
    return max(nice, os.getpriority(os.PRIO_PROCESS, os.getpid()))
