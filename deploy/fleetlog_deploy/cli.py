"""The `fleetlog` command: the client's commands, and those that open data."""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from fleetlog.cli import artifacts
from fleetlog.cli.app import app, run_app

from fleetlog_deploy import topics
from fleetlog_deploy.certificates.command import certificates
from fleetlog_deploy.doctor import default_data, examine
from fleetlog_deploy.settings.limits import SettingsFile
from fleetlog_deploy.settings.load import Loaded, SettingsRefused, load
from fleetlog_deploy.settings.model import Settings
from fleetlog_deploy.settings.shown import lines

MISSING = "this needs the server's packages: pip install 'fleetlog[server]'"
log = typer.Typer(no_args_is_help=True, help="The event log.")
app.add_typer(topics.app, name="topics", rich_help_panel="Server")
app.command(rich_help_panel="Server")(certificates)
app.add_typer(log, name="log", rich_help_panel="Server")
config_app = typer.Typer(no_args_is_help=True, help="Settings of servers.")
app.add_typer(config_app, name="config", rich_help_panel="Server")


ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="FLEETLOG_CONFIG", help="A TOML file of settings.", show_default=False)
]
HostOption = Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1", show_default=False)]
AuthOption = Annotated[
    bool | None,
    typer.Option("--auth", help="Calls need a token; that of the first admin is made.", show_default=False),
]
InsecureOption = Annotated[
    bool | None,
    typer.Option(
        "--insecure",
        help="Listen beyond this machine without TLS or tokens: whoever reaches the port can do everything.",
        show_default=False,
    ),
]
MetricsHostOption = Annotated[
    str | None, typer.Option(help="Address of the HTTP port. Default: 127.0.0.1", show_default=False)
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="HTTP port with /metrics, /healthz and /readyz; 0 takes a free one."),
]
WebHostOption = Annotated[
    str | None, typer.Option(help="Address of the web UI. Default: 127.0.0.1", show_default=False)
]
WebPortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="HTTP port of the web UI; 0 for none. Default: 7461", show_default=False),
]
LogFormatOption = Annotated[
    str | None, typer.Option(help="text, or json: an object a line. Default: text", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Say where things are as one line of JSON.")]


@app.command(rich_help_panel="Server")
def up(
    data: Annotated[Path | None, typer.Option(help="Data directory. Default: ~/.local/share/fleetlog")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. Default: 7460", show_default=False)
    ] = None,
    host: HostOption = None,
    config: ConfigOption = None,
    metrics_port: MetricsPortOption = None,
    metrics_host: MetricsHostOption = None,
    web_port: WebPortOption = None,
    web_host: WebHostOption = None,
    opens: Annotated[bool, typer.Option("--open", help="Open the web UI in a browser.")] = False,
    log_format: LogFormatOption = None,
    insecure: InsecureOption = None,
    auth: AuthOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run fleetlog on this machine, in one process.

    Example: fleetlog up --data ./tracking --port 7460
    """
    given = {
        "server.insecure": insecure, "auth.enabled": auth, "web.host": web_host, "web.port": web_port,
    }  # fmt: skip
    settings, file = _settings(config, host, port, metrics_host, metrics_port, log_format, given)
    try:
        from fleetlog_deploy.up import up as serve_all
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(serve_all((data or default_data()).absolute(), settings, as_json, file, opens=opens))


class PartName(enum.StrEnum):
    """What `fleetlog serve` serves."""

    GATEWAY = "gateway"
    MATERIALIZER = "materializer"
    QUERY = "query"
    WEBHOOKS = "webhooks"
    WEB = "web"


@app.command(rich_help_panel="Server")
def serve(
    parts: Annotated[list[PartName], typer.Argument(help="Which of them; any number of processes of each.")],
    config: ConfigOption = None,
    host: HostOption = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="gRPC port; 0 takes a free one. Default: 7460", show_default=False),
    ] = None,
    metrics_port: MetricsPortOption = None,
    metrics_host: MetricsHostOption = None,
    web_port: WebPortOption = None,
    web_host: WebHostOption = None,
    query: Annotated[
        str | None, typer.Option(help="host:port of the query service that web asks.", show_default=False)
    ] = None,
    ingest: Annotated[
        str | None, typer.Option(help="host:port of the gateway that web writes to.", show_default=False)
    ] = None,
    log_format: LogFormatOption = None,
    insecure: InsecureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run parts of fleetlog in a process of their own, over Kafka, ClickHouse and S3.

    Where these are stands in the file or in the environment: FLEETLOG_LOG_URL, FLEETLOG_WAREHOUSE_URL,
    FLEETLOG_OBJECTS_URL; `fleetlog config show` tells what it would use. Exit codes: 0 stopped as it was told, 1 it
    could not start or go on, 2 settings that can't be meant.

    Clients know one address: gateway and query stand in one process, or behind a proxy that knows gRPC's services.
    The web UI and HTTP for every language are the part web: beside the others, or alone with --query and --ingest.

    Example: fleetlog serve gateway query --config fleetlog.toml --host 0.0.0.0
    """
    given = {
        "server.insecure": insecure, "web.host": web_host, "web.port": web_port, "web.query": query,
        "web.ingest": ingest,
    }  # fmt: skip
    settings, file = _settings(config, host, port, metrics_host, metrics_port, log_format, given)
    try:
        from fleetlog_deploy.serve import serve as serve_parts
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(serve_parts(list(dict.fromkeys(part.value for part in parts)), settings, as_json, file))


@config_app.command()
def show(config: ConfigOption = None) -> None:
    """Print every setting, and where it comes from, without secrets: as a TOML file.

    Example: fleetlog config show --config fleetlog.toml
    """
    for line in lines(_loaded(config, {})):
        print(line)


def _settings(
    config: Path | None,
    host: str | None,
    port: int | None,
    metrics_host: str | None,
    metrics_port: int | None,
    log_format: str | None,
    more: Mapping[str, object],
) -> tuple[Settings, SettingsFile]:
    given: dict[str, object] = {
        "server.host": host,
        "server.port": port,
        "metrics.host": metrics_host,
        "metrics.port": metrics_port,
        "diagnostics.format": log_format,
        **more,
    }
    settings = _loaded(config, given).settings
    return settings, SettingsFile.of(config, given)


def _loaded(config: Path | None, given: Mapping[str, object]) -> Loaded:
    try:
        return load(config, given=given)
    except SettingsRefused as error:
        for complaint in error.complaints:
            print(f"fleetlog: {complaint}", file=sys.stderr)
        raise typer.Exit(2) from None


@app.command(rich_help_panel="Server")
def replay(
    data: Annotated[
        Path | None,
        typer.Option(help="Data directory of a server that is not running. Default: ~/.local/share/fleetlog"),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare only; change nothing.")] = False,
) -> None:
    """Fold the log again into fresh tables, or compare what that gives with the tables there are.

    Example: fleetlog replay --verify --data ./tracking
    """
    try:
        from fleetlog_deploy.replaying import replay_data
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(replay_data((data or default_data()).absolute(), verify))


@app.command(rich_help_panel="Server")
def doctor(
    data: Annotated[Path | None, typer.Option(help="Data directory. Default: ~/.local/share/fleetlog")] = None,
    target: Annotated[str | None, typer.Option(envvar="FLEETLOG_TARGET", help="host:port of the server.")] = None,
) -> None:
    """Find what is wrong with this installation, and how to mend it.

    Example: fleetlog doctor --target localhost:7460
    """
    raise typer.Exit(examine((data or default_data()).absolute(), target))


@log.command()
def copy(
    source: Annotated[
        str, typer.Argument(help="Data directory of a server that is stopped, or kafka://host:port/prefix.")
    ],
    target: Annotated[str, typer.Argument(help="As SOURCE. A directory is made; topics must be there.")],
    verify: Annotated[bool, typer.Option("--verify", help="Compare every record afterwards.")] = False,
) -> None:
    """Copy a log into another engine, byte for byte. Broken off, it goes on when it is run again.

    Nobody may write to either meanwhile. The tables are folded anew from the copy; artifacts above 1 MiB are not in the
    log but in the object store, and stay there.

    Example: fleetlog log copy ./tracking kafka://broker-1:9092/fleetlog --verify
    """
    try:
        from fleetlog_deploy.log_copy import copy_data
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(copy_data(source, target, verify))


@log.command()
def redrive(
    source: Annotated[
        str, typer.Argument(help="Data directory of a server that is stopped, or kafka://host:port/prefix.")
    ],
) -> None:
    """Send dead letters again, in their order, when what they failed at is mended.

    What was applied already is passed over, so that it can be done any number of times. A tag that was set again
    meanwhile becomes what the dead letter says.

    Example: fleetlog log redrive kafka://broker-1:9092/fleetlog
    """
    try:
        from fleetlog_deploy.redriving import redrive_data
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(redrive_data(source))


@artifacts.app.command("collect-orphans")
def collect_orphans(
    data: Annotated[
        Path | None,
        typer.Option(help="Data directory of a server that is stopped. Default: ~/.local/share/fleetlog"),
    ] = None,
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also when the log refers to nothing that is old in the store.")
    ] = False,
) -> None:
    """Remove stored files that no run has: what was uploaded more than 14 days ago, and never logged.

    The log says what runs have, and is read from its begin. In a cluster, with log.url and objects.url in the file or
    in the environment, nothing has to be stopped.

    Example: fleetlog artifacts collect-orphans --config fleetlog.toml --dry-run
    """
    settings = _loaded(config, {}).settings
    try:
        from fleetlog_deploy.collecting import collect_data
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(collect_data(data and data.absolute(), settings, dry_run=dry_run, force=force))


def main() -> None:
    """The console script."""
    sys.exit(run_app())
