"""Calls that were denied: counted by principal and reason, and the last ones kept. Of one process."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from fleetlog_proto.v1 import audit_pb2
from prometheus_client import Counter

from fleetlog_core.auth.identity import ADMIN, EVERYWHERE, Identity
from fleetlog_core.errors import PermissionDenied

KEPT = 1_000
"""Denials that are kept; older ones are counted alone."""
PRINCIPALS = 1_000
"""Principals that are counted by name; further ones are counted as OTHERS, since each takes memory for good."""
OTHERS = "(others)"
FOREIGN_NAMESPACE = "FOREIGN_NAMESPACE"
"""Reason of a call that was answered as if nothing were there."""


class Denials:
    """Thread-safe. `clock`: Unix seconds."""

    def __init__(self, counter: Counter, clock: Callable[[], float] = time.time) -> None:
        self._counter = counter
        self._clock = clock
        self._lock = threading.Lock()
        self._last: deque[audit_pb2.Denial] = deque(maxlen=KEPT)
        self._principals: set[str] = set()
        self._number = 0
        self._server = f"{socket.gethostname()}:{os.getpid()}"

    def note(self, identity: Identity, method: str, reason: str, namespace: str = "") -> None:
        """A call was denied. Whoever showed no valid token has an identity without a principal."""
        principal = identity.principal
        with self._lock:
            if principal not in self._principals:
                if len(self._principals) < PRINCIPALS:
                    self._principals.add(principal)
                else:
                    principal = OTHERS
            self._number += 1
            self._last.append(
                audit_pb2.Denial(
                    time_millis=int(self._clock() * 1_000), principal=identity.principal,
                    token_name=identity.token_name, method=method.removeprefix("/"), reason=reason,
                    namespace=namespace, server=self._server, number=self._number,
                )
            )  # fmt: skip
        self._counter.labels(principal, reason).inc()

    def answer(self, identity: Identity) -> audit_pb2.ListDenialsResponse:
        """Denials that a caller may see, the latest first: of the namespaces that it is admin of, or of all.

        PermissionDenied: it is admin of none.
        """
        if not any(ADMIN in identity.may(grant.namespace) for grant in identity.grants):
            raise PermissionDenied(
                "ROLE_MISSING", "this takes the role admin of a namespace, which the token that was given does not have"
            )
        is_everything = ADMIN in identity.may(EVERYWHERE)
        with self._lock:
            kept = list(reversed(self._last))
        # What names no namespace is nobody's in particular.
        seen = [one for one in kept if is_everything or (one.namespace and ADMIN in identity.may(one.namespace))]
        return audit_pb2.ListDenialsResponse(denials=seen)
