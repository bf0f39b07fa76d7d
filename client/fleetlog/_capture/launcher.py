"""The place of this process among others, as what launched it says in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

_VARIABLES = (
    ("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("mpi", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
)
"""Launchers, and the variables of rank, number of ranks, and rank on this machine. The first that is whole counts: a
torchrun within a SLURM job says more than the job."""
_MOST = 1 << 31


@dataclass(frozen=True, slots=True)
class Launched:
    """One of several processes that were launched together."""

    launcher: str
    rank: int
    world_size: int
    local_rank: int | None


def launched(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """Returns this process's place; None when nothing tells, or what is told is no rank of that many."""
    for launcher, rank, size, local in _VARIABLES:
        number, count = _whole(environment.get(rank)), _whole(environment.get(size))
        if number is not None and count is not None and number < count:
            return Launched(launcher, number, count, _whole(environment.get(local)))
    return None


def _whole(text: str | None) -> int | None:
    word = "" if text is None else text.strip()
    if not (word.isascii() and word.isdecimal()) or len(word) > 10 or int(word) >= _MOST:
        return None
    return int(word)
