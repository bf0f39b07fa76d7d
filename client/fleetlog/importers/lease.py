"""Lease on runs that may still grow where they come from: of imports of one kind of source, one at a time has it.

What ended long ago is the same to every import, and so are its events, which count once. A run that grows is not: two
imports that look a moment apart find other points behind those that are here. So who brings such runs takes the lease
first, then looks at what is here, and gives it back when all that it sent is in the log.

The lease is a document, which its holder puts anew now and then. Who waits takes it over when nothing came of the
holder for EXPIRY_SECONDS by the clock of who waits, or at once when it was a process of this machine that is gone.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import document_event_pb2, document_pb2

from fleetlog._transport.connection import Connection
from fleetlog._values.user import current_user
from fleetlog.errors import DeadlineExceeded, FailedPrecondition, FleetlogError

DOCUMENT_KIND = "import_lease"
EXPIRY_SECONDS = 30.0
"""Seconds without a sign of the holder after which another import takes the lease."""
RENEWAL_SECONDS = 5.0
"""Seconds between two signs."""
LOOK_SECONDS = 0.5
"""Seconds between two looks of who waits."""
PATIENCE_SECONDS = 3_600.0
_REQUEST_SECONDS = 30.0
_RACED = ("DOCUMENT_EXISTS", "DOCUMENT_CHANGED", "DOCUMENT_NOT_FOUND")


@dataclass(frozen=True, slots=True)
class Seen:
    """The lease as somebody else has it."""

    revision: int
    host: str
    process: int
    machine: str = ""
    """Boot of the machine and namespace of its processes, within which a number of a process is one process; "" = it is
    not known."""


class Lease:
    """The lease of a kind of source in a namespace. Used from one thread."""

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        kind: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = kind
        self._on_wait = on_wait
        self._clock = clock
        self._pause = pause
        self._revision = 0
        """Revision of the document as it was put here last; 0 = the lease is not held."""
        self._since = 0.0
        self._is_lost = False
        self._ended = threading.Event()
        self._renewal: threading.Thread | None = None

    @property
    def is_held(self) -> bool:
        """True from `take` to `give_back`."""
        return self._revision > 0

    @property
    def held_seconds(self) -> float:
        """Seconds for which it is held."""
        return self._clock() - self._since

    def take(self) -> None:
        """Take it, behind whoever has it. DeadlineExceeded: another import had it for an hour."""
        begun = changed = self._clock()
        seen: Seen | None = None
        is_told = False
        while True:
            found = self._look()
            if found != seen:
                seen, changed = found, self._clock()
            if found is None or _is_gone(found) or self._clock() - changed >= EXPIRY_SECONDS:
                revision = self._put(0 if found is None else found.revision)
                if revision:
                    self._begin(revision)
                    return
            else:
                holder = f"on {found.host}, process {found.process}"
                if self._clock() - begun >= PATIENCE_SECONDS:
                    raise DeadlineExceeded(
                        "IMPORT_UNDER_WAY",
                        f"another import of {self._name} runs that may still grow is under way, {holder}: import again"
                        " when it has ended",
                    )
                if self._on_wait is not None and not is_told:
                    self._on_wait(f"waiting for another import of {self._name} runs that may still grow, {holder}")
                    is_told = True
            self._pause(LOOK_SECONDS)

    def check(self) -> None:
        """FailedPrecondition: it was held, and another import took it, for nothing was heard of this one."""
        if self._is_lost:
            raise FailedPrecondition(
                "IMPORT_LEASE_LOST",
                f"this import stood still for more than {EXPIRY_SECONDS:.0f} s, and another one of {self._name} runs"
                " took over; import again, which goes on where both stopped",
            )

    def give_back(self) -> None:
        """Let the next one have it. What was sent has to be in the log."""
        if not self.is_held:
            return
        self._end_renewal()
        revision, self._revision = self._revision, 0
        if not self._is_lost:
            self._change(document_event_pb2.DocumentPut(deleted=True, expected_revision=revision))

    def renew(self) -> None:
        """Give a sign; after it `check` tells whether it is held still. FleetlogError: the server does not answer."""
        revision = self._put(self._revision)
        if revision:
            self._revision = revision
        else:
            self._is_lost = True

    def _begin(self, revision: int) -> None:
        self._revision, self._since, self._is_lost = revision, self._clock(), False
        self._ended.clear()
        self._renewal = threading.Thread(target=self._renew_until_ended, name="fleetlog-import-lease", daemon=True)
        self._renewal.start()

    def _end_renewal(self) -> None:
        self._ended.set()
        if self._renewal is not None:
            self._renewal.join()
            self._renewal = None

    def _renew_until_ended(self) -> None:
        heard = time.monotonic()
        while not self._ended.wait(RENEWAL_SECONDS) and not self._is_lost:
            try:
                self.renew()
                heard = time.monotonic()
            except FleetlogError:
                if time.monotonic() - heard >= EXPIRY_SECONDS:
                    self._is_lost = True

    def _look(self) -> Seen | None:
        connection = self._connection
        request = document_pb2.ListDocumentsRequest(
            namespace=self._namespace, kind=DOCUMENT_KIND, document_ids=[self._name], at_least=connection.position()
        )
        answer = connection.call(connection.documents_query.ListDocuments, request, _REQUEST_SECONDS)
        for one in answer.documents:
            said = json.loads(one.body)
            return Seen(one.revision, said["host"], said["process"], said["machine"])
        return None

    def _put(self, expected: int) -> int:
        """Put the document in place of that revision; its revision, 0 when somebody else was first."""
        body = json.dumps({"host": socket.gethostname(), "process": os.getpid(), "machine": _machine()})
        return self._change(document_event_pb2.DocumentPut(body=body, expected_revision=expected))

    def _change(self, put: document_event_pb2.DocumentPut) -> int:
        connection = self._connection
        put.kind, put.document_id = DOCUMENT_KIND, self._name
        request = document_pb2.PutDocumentsRequest(
            namespace=self._namespace, request_id=new_random_id(), user=current_user(), documents=[put]
        )
        try:
            answer = connection.call(connection.documents.PutDocuments, request, _REQUEST_SECONDS)
        except FleetlogError as error:
            if error.reason in _RACED:
                return 0
            raise
        connection.saw(answer.position)
        return answer.revisions[0]


def _is_gone(holder: Seen) -> bool:
    """True if the holder was a process of this machine that is not there any more."""
    if not holder.machine or holder.machine != _machine():
        return False
    try:
        os.kill(holder.process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@lru_cache(maxsize=1)
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
