"""`fleetlog artifacts collect-orphans`: stored files that no run has."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fleetlog_core.log.port import LogUnavailable, RecordsGone
from fleetlog_core.objects.orphans import ORPHAN_AGE_DAYS, Sweepable, Swept
from fleetlog_core.objects.port import ObjectStoreUnavailable
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_ingest.orphans import AnotherLog, collect
from rich.console import Console

from fleetlog_deploy.doctor import default_data
from fleetlog_deploy.engines import Engines
from fleetlog_deploy.running import FAILED, REFUSED, STOPPED
from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import Settings


def collect_data(data: Path | None, settings: Settings, *, dry_run: bool, force: bool) -> int:
    """The exit code: 0 done, 1 otherwise, 2 settings that can't be meant."""
    try:
        with closing(Engines(_located(data, settings), Telemetry())) as engines:
            swept = _collect(engines, dry_run=dry_run, force=force)
    except SettingsRefused as error:
        for complaint in error.complaints:
            print(f"fleetlog: {complaint}", file=sys.stderr)
        return REFUSED
    except AnotherLog as error:
        print(
            f"fleetlog: {error}; nothing was removed. Is it the log of these objects? `fleetlog config show` tells"
            " where both are; if it is, --force removes them",
            file=sys.stderr,
        )
        return FAILED
    except (LogUnavailable, RecordsGone, ObjectStoreUnavailable) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        return FAILED
    print(_told(swept, dry_run))
    return STOPPED


def _located(data: Path | None, settings: Settings) -> Settings:
    """The settings with the log and the store of the data directory, where they name none."""
    here = data or default_data().absolute()
    if data is None and bool(settings.log.url) != bool(settings.objects.url):
        # One of a cluster's and one of this machine would not belong together: all of its files would be removed.
        missing = "objects.url" if settings.log.url else "log.url"
        raise SettingsRefused([f"{missing} is not set, and the other one is: set both, or give --data"])
    if not settings.log.url and not (here / "log" / "events.sqlite").is_file():
        raise SettingsRefused([f"there is no log in {here}; give its --data, or set log.url and objects.url"])
    return replace(
        settings,
        log=replace(settings.log, url=settings.log.url or f"sqlite:{here / 'log'}"),
        objects=replace(settings.objects, url=settings.objects.url or f"folder:{here / 'objects'}"),
    )


def _collect(engines: Engines, *, dry_run: bool, force: bool) -> Swept:
    log, objects = engines.log, engines.objects
    if not isinstance(objects, Sweepable):
        raise SettingsRefused(["objects.url: a store that can't be looked through"])
    with Console(stderr=True).status("reading the log"):
        return collect(log, objects, int(time.time() * 1000), dry_run=dry_run, force=force)


def _told(swept: Swept, dry_run: bool) -> str:
    what = f"{swept.removed:,} of {swept.objects:,} objects, {swept.removed_bytes:,} bytes"
    if dry_run:
        return f"would remove {what}: no run has them, and they are older than {ORPHAN_AGE_DAYS} days"
    uploads = (
        f"; {swept.uploads_dropped:,} uploads that were never completed are ended" if swept.uploads_dropped else ""
    )
    return f"removed {what}{uploads}"
