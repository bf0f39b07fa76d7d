"""Runs of `python -m simulation`, each a process of its own: a world puts stand-ins into the product's modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 600.0


DIGESTS = """
import logging, sys
from simulation.plan import plan_of
from simulation.world import run_world
logging.disable(logging.CRITICAL)
print(*(run_world(plan_of(int(seed))).digest for seed in sys.argv[1:]))
"""


def simulation(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, ended."""
    return _ended("0", "-m", "simulation", *arguments)


def digests(*worlds: int, hash_seed: int) -> list[str]:
    """Digests of the histories of worlds in a process in which sets and dictionaries are ordered by that seed."""
    done = _ended(str(hash_seed), "-c", DIGESTS, *map(str, worlds))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def _ended(hash_seed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)
