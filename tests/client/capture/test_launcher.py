"""Ranks that launchers give."""

from __future__ import annotations

import pytest
from fleetlog._capture.launcher import Launched, launched


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Launched("torchrun", 3, 8, 1)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, Launched("torchrun", 0, 1, None)),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "6", "SLURM_LOCALID": "1"}, Launched("slurm", 5, 6, 1)),
        (
            {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "0"},
            Launched("openmpi", 2, 4, 0),
        ),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, Launched("mpi", 1, 2, None)),
        (
            {"RANK": "9", "WORLD_SIZE": "16", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"},
            Launched("torchrun", 9, 16, None),
        ),
        ({"RANK": "3"}, None),
        ({"RANK": "8", "WORLD_SIZE": "8"}, None),
        ({"RANK": "-1", "WORLD_SIZE": "8"}, None),
        ({"RANK": "high", "WORLD_SIZE": "8", "PMI_RANK": "1", "PMI_SIZE": "2"}, Launched("mpi", 1, 2, None)),
        ({"RANK": "٣", "WORLD_SIZE": "8"}, None),
        ({"RANK": "1" * 5000, "WORLD_SIZE": "2" * 5000}, None),
        ({}, None),
    ],
)
def test_a_rank_is_read_from_what_the_launcher_sets(environment: dict[str, str], found: Launched | None) -> None:
    assert launched(environment) == found
