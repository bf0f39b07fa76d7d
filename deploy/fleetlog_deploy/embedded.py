"""fleetlog in one process: SQLite log, chDB, a folder. What `fleetlog up` runs, and the tests.

Data directory: `log/` (the truth), `warehouse/` (folded from it), `objects/` (artifacts), `logs/`, `token.key`,
`webhooks.key` (without it secrets of webhooks are lost), `admin.token` where calls need a token.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.readers import Readers
from fleetlog_core.secret_files import write_secret
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.durability import Disk

from fleetlog_deploy.authenticating import admin_token, authentication_of
from fleetlog_deploy.engines import Engines, engine_path
from fleetlog_deploy.healing import open_whole
from fleetlog_deploy.node import Node
from fleetlog_deploy.parts.gateway import GatewayPart
from fleetlog_deploy.parts.materializer import MaterializerPart
from fleetlog_deploy.parts.query import QueryPart
from fleetlog_deploy.preparing import prepare
from fleetlog_deploy.settings.model import AuthSettings, ServerSettings, Settings, WebSettings
from fleetlog_deploy.tracing import traces_of
from fleetlog_deploy.web import WebAddress, web_port
from fleetlog_deploy.webhooks import WebhooksPart

SWITCH_SECONDS = 0.001
"""The interpreter's switch interval: at its default of 5 ms a search waits for a batch that is being folded."""

KEY_BYTES = 32


def embedded(data: Path, settings: Settings, *, free_web_port: bool = False) -> Node:
    """The whole of fleetlog over one data directory, which it owns until it is stopped.

    Engines that the settings name take the place of those in the directory.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = replace(
        settings,
        log=replace(settings.log, url=settings.log.url or f"sqlite:{data / 'log'}"),
        warehouse=replace(settings.warehouse, url=settings.warehouse.url or f"chdb:{data / 'warehouse'}"),
        objects=replace(settings.objects, url=settings.objects.url or f"folder:{data / 'objects'}"),
    )
    sys.setswitchinterval(SWITCH_SECONDS)
    telemetry = Telemetry(traces_of(settings, "up"))
    engines = Engines(settings, telemetry)
    try:
        disk, group = None, settings.materializer.group
        if settings.warehouse.url.startswith("chdb:"):
            disk = Disk(engine_path(settings.warehouse.url))
            open_whole(engines, disk, group, telemetry)
        else:
            group = prepare(engines, group, telemetry)
        readers = Readers()
        # A server may have readers, and who writes to it, in other processes, of which this one does not hear.
        is_alone = settings.warehouse.url.startswith("chdb:")
        applied = AppliedWatch(engines.reads, readers=readers, alone=is_alone)
        alone = readers if is_alone else None
        key = settings.query.token_key or _key(data / "token.key").hex()
        webhooks = replace(
            settings.webhooks, secret_key=settings.webhooks.secret_key or _key(data / "webhooks.key").hex()
        )
        authentication = authentication_of(_with_admin(settings.auth, data), engines.reads)
        web = web_port(settings, or_free=free_web_port)
        address = WebAddress(settings.web, web)
        parts = (
            GatewayPart(engines, applied, telemetry, webhooks, authentication, settings.materializer.lost_seconds_by),
            QueryPart(engines, applied, telemetry, replace(settings.query, token_key=key), address),
            MaterializerPart(
                engines, telemetry, settings.materializer, group, applied.poke, disk, alone, applied.decisions
            ),
            WebhooksPart(engines, telemetry, webhooks),
        )
        return Node(settings, telemetry, engines, parts, applied, web, authentication)
    except BaseException:
        engines.close()
        raise


def _with_admin(settings: AuthSettings, data: Path) -> AuthSettings:
    """Settings with the data directory's own admin token where none is set. OSError."""
    if not settings.enabled or settings.admin_token:
        return settings
    return replace(settings, admin_token=admin_token(data)[0])


def _key(path: Path) -> bytes:
    """The key in a file: made at the first start, and when a crash left half of one, which would protect little."""
    if path.exists() and len(key := path.read_bytes()) == KEY_BYTES:
        return key
    key = secrets.token_bytes(KEY_BYTES)
    write_secret(path, key)
    return key


@contextmanager
def running(data: Path, settings: Settings | None = None) -> Iterator[str]:
    """Run it in a thread of its own; yields the target."""
    with running_node(data, settings) as (_, target):
        yield target


@contextmanager
def running_node(data: Path, settings: Settings | None = None) -> Iterator[tuple[Node, str]]:
    """Run it in a thread of its own; yields the node, whose engines any thread may read from, and the target.

    Without settings it serves on a free port, and nothing by HTTP.
    """
    settings = settings or Settings(server=ServerSettings(port=0), web=WebSettings(port=0))
    ready = threading.Event()
    outcome: list[tuple[Node, int] | BaseException] = []
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            node = embedded(data, settings)
            outcome.append((node, await node.start()))
        except BaseException as error:  # raised again where it was asked for
            outcome.append(error)
            return
        finally:
            ready.set()
        await ended.wait()
        await node.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="embedded")
    thread.start()
    ready.wait()
    started = outcome[0]
    if isinstance(started, BaseException):
        thread.join()
        loop.close()
        raise started
    try:
        yield started[0], f"127.0.0.1:{started[1]}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
