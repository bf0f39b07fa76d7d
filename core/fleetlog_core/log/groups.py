"""Consumer groups for logs that live in one process: who has which partition, and the members themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from fleetlog_core.log.port import Commit, Fenced, Partition, Record


class GroupStore(Protocol):
    """What a member needs of its log, besides waiting."""

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """As EventLog.read."""
        ...

    def load_commit(self, group: str, partition: Partition) -> Commit | None:
        """The stored commit."""
        ...

    def store_commit(self, group: str, partition: Partition, commit: Commit) -> None:
        """Store a commit durably."""
        ...


class Groups:
    """The groups of one log. `changed` is notified when records arrive, members come or go, or one is woken."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._members: dict[str, list[GroupMember]] = {}
        self._partitions: dict[str, set[Partition]] = {}

    def notify(self) -> None:
        """Let every waiting poll look again."""
        with self.changed:
            self.changed.notify_all()

    def join(self, group: str, partitions: Sequence[Partition], store: GroupStore) -> GroupMember:
        """A new member; partitions are shared out anew."""
        member = GroupMember(self, group, store)
        with self.changed:
            self._members.setdefault(group, []).append(member)
            self._partitions.setdefault(group, set()).update(partitions)
            self._share(group)
        return member

    def leave(self, member: GroupMember) -> None:
        """The member's partitions go to the others."""
        with self.changed:
            members = self._members.get(member.group, [])
            if member in members:
                members.remove(member)
                member.owned = frozenset()
                self._share(member.group)

    def _share(self, group: str) -> None:
        members = self._members[group]
        for place, member in enumerate(members):
            partitions = sorted(self._partitions[group])
            member.owned = frozenset(partitions[place :: len(members)])
        self.changed.notify_all()


class GroupMember:
    """A Consumer of a log in this process."""

    def __init__(self, groups: Groups, group: str, store: GroupStore) -> None:
        self.group = group
        self.owned: frozenset[Partition] = frozenset()
        self._groups = groups
        self._store = store
        self._seen: frozenset[Partition] = frozenset()
        self._offsets: dict[Partition, int] = {}
        self._woken = False
        self._turn = 0

    def assignment(self) -> frozenset[Partition]:
        """See Consumer."""
        return self._seen

    def poll(self, timeout_seconds: float, *, max_bytes: int) -> Sequence[Record]:
        """See Consumer."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            with self._groups.changed:
                owned = self.owned
            self._accept(owned)
            records = self._read(max_bytes)
            if records:
                return records
            with self._groups.changed:
                # Looked at again under the lock: what arrived since the read notified nobody.
                remaining = deadline - time.monotonic()
                if self._woken or remaining <= 0 or owned != self.owned:
                    woken, self._woken = self._woken, False
                    if woken or remaining <= 0:
                        return ()
                    continue
                if not self._anything():
                    self._groups.changed.wait(remaining)

    def _accept(self, owned: frozenset[Partition]) -> None:
        for partition in owned - self._seen:
            commit = self._store.load_commit(self.group, partition)
            self._offsets[partition] = commit.offset if commit else 0
        for partition in self._seen - owned:
            self._offsets.pop(partition, None)
        self._seen = owned

    def _read(self, max_bytes: int) -> Sequence[Record]:
        partitions = sorted(self._seen) if max_bytes > 0 else []
        for _ in partitions:
            self._turn = (self._turn + 1) % len(partitions)
            partition = partitions[self._turn]
            records = self._store.read(partition, self._offsets[partition], max_bytes=max_bytes)
            if records:
                self._offsets[partition] = records[-1].offset + 1
                return records
        return ()

    def _anything(self) -> bool:
        return any(self._store.read(partition, self._offsets[partition], max_bytes=1) for partition in self._seen)

    def seek(self, partition: Partition, offset: int) -> None:
        """See Consumer."""
        self._own(partition)
        self._offsets[partition] = offset

    def committed(self, partition: Partition) -> Commit | None:
        """See Consumer."""
        return self._store.load_commit(self.group, partition)

    def commit(self, partition: Partition, commit: Commit) -> None:
        """See Consumer."""
        with self._groups.changed:
            self._own(partition)
            self._store.store_commit(self.group, partition, commit)

    def _own(self, partition: Partition) -> None:
        if partition not in self.owned or partition not in self._seen:
            raise Fenced(f"{partition} is not assigned to this member of {self.group}")

    def wake(self) -> None:
        """See Consumer."""
        with self._groups.changed:
            self._woken = True
            self._groups.changed.notify_all()

    def close(self) -> None:
        """See Consumer."""
        self._groups.leave(self)
        self._seen = frozenset()
