"""The disk of one machine: files as a process sees them, and what is left of them when the power goes.

What was written outlives the process; what was synced outlives the machine, under a name that was synced. Of the rest
some is there, cut anywhere, perhaps with other bytes.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from fleetlog._journal.disk import Disk
from fleetlog._journal.folders import SEGMENT

from simulation.kernel import Kernel, Killed
from simulation.weather import Condition, Weather


class Machine(Disk):
    """A Disk. Its calls take time, and fail while its conditions say so."""

    def __init__(self, kernel: Kernel, weather: Weather, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        self._kernel = kernel
        self._weather = weather
        self._synced: dict[int, int] = {}
        """Bytes that are on the disk, by file."""
        self._named: set[Path] = set()
        """Folders whose names are on the disk."""

    def words(self, text: str) -> str:
        """A text without where the machine's folder is: a history says the same wherever it comes again."""
        return text.replace(str(self.root), self.name)

    def create(self, path: Path) -> int:
        """See Disk."""
        self._call(0.0005)
        self._needs_room()
        file = super().create(path)
        self._synced[os.fstat(file).st_ino] = 0
        return file

    def append_to(self, path: Path) -> int:
        """See Disk."""
        self._call(0.0005)
        return super().append_to(path)

    def write(self, file: int, data: memoryview) -> int:
        """See Disk."""
        self._call(0.0002)
        if self._weather.has(Condition.DISK_FULL, self.name):
            # The last of what there was room for.
            taken = self._kernel.random.randrange(len(data))
            if not taken or self._kernel.random.random() < 0.5:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(file, data[:taken])
        return super().write(file, data)

    def sync(self, file: int) -> None:
        """See Disk."""
        size = os.fstat(file).st_size
        self._call(0.02)
        if self._weather.has(Condition.DISK_BROKEN, self.name):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        inode = os.fstat(file).st_ino
        self._synced[inode] = max(size, self._synced.get(inode, 0))

    def sync_folder(self, path: Path) -> None:
        """See Disk."""
        self._call(0.01)
        if self._weather.has(Condition.DISK_BROKEN, self.name):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if path != self.root:
            self._named.update(path.iterdir())
        else:
            self._named.update(one for one in path.iterdir() if one.is_dir())

    def cut(self, file: int, size: int) -> None:
        """See Disk."""
        self._call(0.0002)
        super().cut(file, size)

    def remove(self, path: Path) -> None:
        """See Disk."""
        self._call(0.0002)
        super().remove(path)

    def free_bytes(self, path: Path) -> int:
        """See Disk."""
        return 0 if self._weather.has(Condition.DISK_FULL, self.name) else 1 << 40

    def _needs_room(self) -> None:
        if self._weather.has(Condition.DISK_FULL, self.name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _call(self, most_seconds: float) -> None:
        """The time that a call takes; of a dead process none is made. Killed."""
        process = self._kernel.process
        if process is not None and not process.alive:
            raise Killed
        if self._kernel.fiber is not None:
            self._kernel.sleep(self._kernel.random.random() * most_seconds)

    def lose_power(self) -> None:
        """What is not on the disk is gone, or cut, or changed."""
        random = self._kernel.random
        for path in sorted(self.root.rglob(f"*{SEGMENT}")):
            if (path not in self._named or path.parent not in self._named) and random.random() < 0.5:
                path.unlink()
                continue
            data = path.read_bytes()
            synced = min(self._synced.get(path.stat().st_ino, 0), len(data))
            tail = bytearray(data[synced : synced + random.randint(0, len(data) - synced)])
            if tail and random.random() < 0.5:
                # The file has its length by now, and a page of it has not its bytes.
                place = random.randrange(len(tail))
                for at in range(place, min(place + random.randint(1, 64), len(tail))):
                    tail[at] ^= random.randint(1, 255)
            path.write_bytes(data[:synced] + bytes(tail))
            self._synced[path.stat().st_ino] = len(data[:synced]) + len(tail)
