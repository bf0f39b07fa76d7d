"""The processes of a fault test: servers that are killed and come back where they were, and writers that go on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fleetlog_core.ids import new_run_id
from fleetlog_core.log.partitions import partition_of

from tests.deploy.cluster import Cluster
from tests.deploy.processes import Up
from tests.faults.ledger import Promises, acknowledged_since, sizes
from tests.faults.sizes import sized
from tests.faults.writer import STOP
from tests.waiting import reached

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = sized(180, 600)


@dataclass
class Server:
    """A server with one address for all its lives, if it is given a port."""

    own: Cluster
    parts: tuple[str, ...]
    port: int = 0
    """0: a free one, which may be another one in the next life."""
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.up = self._started()

    @property
    def target(self) -> str:
        return self.up.target

    def kill(self) -> None:
        """SIGKILL, and it is gone."""
        self.up.process.kill()
        self.up.process.wait()

    def start(self, **settings: str) -> None:
        """Again, with these settings from now on."""
        self.settings.update(settings)
        self.up = self._started()

    def _started(self) -> Up:
        return self.own.serve(*self.parts, "--port", str(self.port), **self.settings)


def addresses(*servers: Server) -> str:
    """A target for clients that know all of them: the first that answers is used."""
    return "ipv4:" + ",".join(server.target for server in servers)


class Writers:
    """Processes that write, and their ledgers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir()
        self._started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(self, target: str, run: str, rank: int) -> None:
        """One more."""
        told = self._folder / f"{run}-{rank}.err"
        command = [sys.executable, "-m", "tests.faults.writer", str(self._folder), target, run, str(rank)]
        with told.open("wb") as err:
            self._started.append((subprocess.Popen(command, cwd=ROOT, stderr=err), told))

    def advance(self) -> None:
        """Wait until each of them has more acknowledged than before."""
        before = sizes(self._folder)

        def advanced() -> bool:
            for process, told in self._started:
                assert process.poll() in (None, 0), told.read_text()
            now = sizes(self._folder)
            return len(now) == len(self._started) and all(acknowledged_since(path, before.get(path, 0)) for path in now)

        reached(advanced, PATIENCE_SECONDS)

    def finish(self) -> Promises:
        """Tell them to end; everything that they wrote is acknowledged then."""
        (self._folder / STOP).touch()
        for process, told in self._started:
            assert process.wait(PATIENCE_SECONDS) == 0, told.read_text()
        promises = Promises(self._folder)
        assert promises.durable == promises.sent
        assert len({(entry.run, entry.writer) for entry in promises.durable}) == len(self._started)
        return promises

    def kill(self) -> None:
        """Kill the writers that still are there."""
        for process, _ in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()


def runs_everywhere(partitions: int, runs: int) -> list[str]:
    """Ids of so many runs, spread over the partitions evenly."""
    found: list[str] = []
    while len(found) < runs:
        run_id = new_run_id(1_700_000_000_000)
        if partition_of(run_id, partitions) == len(found) % partitions:
            found.append(run_id.hex())
    return found
