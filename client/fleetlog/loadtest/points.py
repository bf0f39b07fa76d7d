"""What workers log: made of the worker and the step alone, so that what is read back can be compared. Pure."""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Sequence

from fleetlog_core.limits import INLINE_ARTIFACT_BYTES
from fleetlog_proto.v1 import event_pb2

from fleetlog.loadtest.profile import Profile

RATES = (0.1, 0.03, 0.01, 0.003, 0.001)
TEAMS = ("vision", "speech", "language", "robots")


def keys_of(profile: Profile) -> tuple[str, ...]:
    """Keys of the metrics."""
    return tuple(f"m{number:03}" for number in range(profile.metrics))


def values_of(worker: int, step: int, metrics: int) -> list[float]:
    """Values of a step: curves that fall, with noise, in single precision as losses are."""
    chance = random.Random(worker << 40 | step).random  # noqa: S311 - no secret
    level = 1.0 / (1.0 + 0.02 * step)
    return array("f", [level + 0.3 * chance() for _ in range(metrics)]).tolist()


def columns_of(worker: int, steps: Sequence[int], metrics: int) -> list[array[float]]:
    """Values by metric, of several steps."""
    rows = [values_of(worker, step, metrics) for step in steps]
    return [array("d", column) for column in zip(*rows, strict=True)] if rows else [array("d") for _ in range(metrics)]


def params_of(profile: Profile, run: int) -> list[event_pb2.Param]:
    """Params of a run."""
    made = [event_pb2.Param(key="lr", real=RATES[run % len(RATES)]), event_pb2.Param(key="batch", whole=8 << run % 5)]
    made += [
        event_pb2.Param(key=f"p{number:03}", real=float(run % (number + 7))) for number in range(2, profile.params)
    ]
    return made[: profile.params]


def tags_of(profile: Profile, run: int) -> dict[str, str]:
    """Tags of a run."""
    made = {"team": TEAMS[run % len(TEAMS)]} | {f"t{number:03}": f"v{run % 10}" for number in range(1, profile.tags)}
    return dict(list(made.items())[: profile.tags])


def file_of(worker: int, step: int, size_bytes: int) -> event_pb2.ArtifactLogged:
    """A file of a worker, whose bytes no other has."""
    if not 0 <= size_bytes <= INLINE_ARTIFACT_BYTES:
        raise ValueError(f"{size_bytes} bytes are no inline artifact")
    content = random.Random(worker << 40 | step).randbytes(size_bytes)  # noqa: S311 - no secret
    return event_pb2.ArtifactLogged(
        path=path_of(worker, step), size_bytes=size_bytes, sha256=hashlib.sha256(content).digest(), content=content
    )


def path_of(worker: int, step: int) -> str:
    """Path of a worker's file."""
    return f"w{worker:06}/s{step:06}.bin"
