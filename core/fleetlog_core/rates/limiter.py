"""Accounts of all who call, and who pays for what is read on behalf of a call.

Each call is charged twice: to its caller, and to each namespace that it names. Callers are principals where callers are
known, and addresses elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar

from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.rates.account import Account
from fleetlog_core.rates.limits import Lasting, Limits, Quotas, Rate, ServerLimits
from fleetlog_core.rules.names import DEFAULT_NAMESPACE

ACCOUNTS = 10_000
"""Accounts that are kept; beyond them those that owe nothing are forgotten, and then the ones used longest ago."""
CALLER, NAMESPACE = "caller", "namespace"
_OWNERS = {CALLER: ("this caller", ""), NAMESPACE: ("all callers of this namespace together", "namespace_")}
NO_QUOTAS = Quotas()
READING = (Rate.ROWS, Rate.READ_SECONDS)
WRITING = (Rate.POINTS, Rate.BYTES)


class Limiter:
    """The accounts of one process. Thread-safe."""

    def __init__(
        self, limits: ServerLimits | None = None, clock: Callable[[], float] = time.monotonic, accounts: int = ACCOUNTS
    ) -> None:
        self._limits = limits or ServerLimits()
        self._clock = clock
        self._most = accounts
        self._lock = threading.Lock()
        self._accounts: dict[tuple[str, str], Account] = {}
        """By kind and name, the one that was used longest ago first."""

    @property
    def limits(self) -> ServerLimits:
        """What holds now."""
        return self._limits

    @property
    def has_writes(self) -> bool:
        """True if it matters what a write costs."""
        return self._limits.caller.has_writes or self._limits.namespace.has_writes

    def change(self, limits: ServerLimits) -> None:
        """Hold to other limits from now on: calls that last among them, but that what is open stays open."""
        with self._lock:
            self._limits = limits
            for (kind, _), account in self._accounts.items():
                account.set(self._of(kind), limits.burst_seconds, self._clock())

    def payer(self, caller: str, namespaces: Iterable[str]) -> Payer:
        """Whoever is charged for a call of this caller in these namespaces ("" is the default one)."""
        names = dict.fromkeys(name or DEFAULT_NAMESPACE for name in namespaces)
        keys = [(CALLER, caller), *((NAMESPACE, name) for name in names)]
        with self._lock:
            return Payer(caller, self, [(kind, self._account(kind, name)) for kind, name in keys])

    def now(self) -> float:
        """Seconds of the clock that rates are counted by."""
        return self._clock()

    def _of(self, kind: str) -> Limits:
        return self._limits.caller if kind == CALLER else self._limits.namespace

    def _account(self, kind: str, name: str) -> Account:
        account = self._accounts.pop((kind, name), None)
        if account is None:
            account = Account(*_OWNERS[kind])
            account.set(self._of(kind), self._limits.burst_seconds, self._clock())
            if len(self._accounts) >= self._most:
                self._forget()
        self._accounts[kind, name] = account
        return account

    def _forget(self) -> None:
        """Make room: what is idle goes, a tenth at least."""
        now = self._clock()
        for key in [key for key, account in self._accounts.items() if account.is_idle(now)]:
            del self._accounts[key]
        for key in list(self._accounts)[: len(self._accounts) - self._most * 9 // 10]:
            del self._accounts[key]


class Payer:
    """The accounts that one call is charged to."""

    __slots__ = ("_accounts", "_limiter", "caller")

    def __init__(self, caller: str, limiter: Limiter, accounts: list[tuple[str, Account]]) -> None:
        self.caller = caller
        self._limiter = limiter
        self._accounts = accounts

    def begin(self, reads: bool) -> None:
        """A call begins. ResourceExhausted for one too many, and for one that reads while what was read is not paid."""
        now = self._limiter.now()
        for _, account in self._accounts:
            for kinds, amount in (((Rate.CALLS,), 1.0), (READING if reads else (), 0.0)):
                seconds, kind = account.debt(kinds, now, amount)
                if kind is not None:
                    raise account.over(kind, seconds, now)
        self.spend({Rate.CALLS: 1.0})

    def spend(self, costs: Mapping[Rate, float]) -> None:
        """Charge what something cost, whatever is left."""
        now = self._limiter.now()
        for _, account in self._accounts:
            account.spend(costs, now)

    def owed(self) -> tuple[float, ResourceExhausted | None]:
        """Seconds until what was written is paid, and the error for who does not wait for so long."""
        now = self._limiter.now()
        longest, error = 0.0, None
        for _, account in self._accounts:
            seconds, kind = account.debt(WRITING, now)
            if kind is not None and seconds > longest:
                longest, error = seconds, account.over(kind, seconds, now)
        return longest, error

    @property
    def quotas(self) -> Quotas:
        """What each namespace may store, as it holds now."""
        return self._limiter.limits.quotas

    def accounts(self) -> list[tuple[Account, Limits]]:
        """The accounts, each with the limits that hold for it now."""
        return [(account, self._limiter._of(kind)) for kind, account in self._accounts]


class Lease:
    """One thing that lasts, counted in the accounts of those it is for until it is closed. For one task."""

    def __init__(self, kind: Lasting) -> None:
        self._kind = kind
        self._held: list[Account] = []

    def add(self, payer: Payer) -> None:
        """Count it in these accounts too, once in each. ResourceExhausted, and nothing more is counted then."""
        added: list[Account] = []
        try:
            for account, limits in payer.accounts():
                if not any(account is held for held in self._held):
                    account.open(self._kind, limits)
                    added.append(account)
        except ResourceExhausted:
            for account in added:
                account.close(self._kind)
            raise
        self._held += added

    def close(self) -> None:
        """It ended."""
        held, self._held = self._held, []
        for account in held:
            account.close(self._kind)


_PAYER: ContextVar[Payer | None] = ContextVar("fleetlog_payer", default=None)


def set_payer(payer: Payer) -> None:
    """For the rest of the call's task."""
    _PAYER.set(payer)


def quotas() -> Quotas:
    """What a namespace may store, by the server of the call under way; none outside of one."""
    payer = _PAYER.get()
    return NO_QUOTAS if payer is None else payer.quotas


def paying() -> str:
    """Name of the caller of the call under way; "" for what is done for nobody in particular."""
    payer = _PAYER.get()
    return "" if payer is None else payer.caller


def charge_read(rows: int, seconds: float) -> None:
    """Charge a statement to the call under way, if there is one."""
    payer = _PAYER.get()
    if payer is not None:
        payer.spend({Rate.ROWS: float(rows), Rate.READ_SECONDS: seconds})
