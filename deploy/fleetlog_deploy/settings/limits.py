"""The limits of callers and namespaces as the settings say them, and the file in which they may change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from fleetlog_core.rates.limiter import Limiter
from fleetlog_core.rates.limits import Limits, Quotas, ServerLimits

from fleetlog_deploy.settings.load import SettingsRefused, load, settings_file
from fleetlog_deploy.settings.model import LimitsSettings, Settings

diagnostics = logging.getLogger(__name__)
OF_NAMESPACE = "namespace_"
LOOK_SECONDS = 2.0
"""Seconds between two looks at the file."""
_Stamp = tuple[int, int, int] | None


def server_limits(settings: LimitsSettings) -> ServerLimits:
    """The limits that a server holds to."""
    quotas = Quotas(settings.namespace_stored_runs, settings.namespace_artifact_bytes)
    return ServerLimits(_limits(settings, ""), _limits(settings, OF_NAMESPACE), settings.burst_seconds, quotas)


def _limits(settings: LimitsSettings, prefix: str) -> Limits:
    return Limits(**{one.name: getattr(settings, prefix + one.name) for one in fields(Limits)})


class SettingsFile:
    """The settings, read again when their file changes. A file that is no good is told of, and changes nothing."""

    def __init__(self, read: Callable[[], Settings], path: Path | None) -> None:
        """`path` None: there is no file, and nothing changes."""
        self._read, self._path = read, path
        self._stamp = self._look()

    @classmethod
    def of(cls, config: Path | None, given: Mapping[str, object]) -> SettingsFile:
        """The file and the command line of a process."""
        return cls(lambda: load(config, given=given).settings, settings_file(config))

    def changed(self) -> Settings | None:
        """The settings, if the file is another one than at the last look and good; else None."""
        stamp = self._look()
        if stamp is None or stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            return self._read()
        except SettingsRefused as error:
            diagnostics.warning("the limits that were there before hold: %s", "; ".join(error.complaints))
            return None

    def _look(self) -> _Stamp:
        """Identity of what the file holds; None: there is none, or it can't be looked at."""
        try:
            found = None if self._path is None else self._path.stat()
        except OSError:
            return None
        return None if found is None else (found.st_ino, found.st_mtime_ns, found.st_size)


async def keep_limits(limiter: Limiter, file: SettingsFile | None, look_seconds: float = LOOK_SECONDS) -> None:
    """Tell a limiter of other limits whenever the file says some, until it is cancelled."""
    while file is not None:
        await asyncio.sleep(look_seconds)
        changed = await asyncio.to_thread(file.changed)
        if changed is not None:
            limiter.change(server_limits(changed.limits))
            diagnostics.info("the limits were read again")
