"""The Typer app and its exit codes: 0 done, 1 not found or another error, in one line, 2 usage, 130 Ctrl-C."""

from __future__ import annotations

import io
import sys
from typing import Protocol, runtime_checkable

import typer

import fleetlog
from fleetlog.cli import (
    artifacts,
    audit,
    branches,
    changing,
    experiments,
    export_all,
    exporting,
    facets,
    import_source,
    importing,
    loadtest,
    metrics,
    mlflow_ui,
    models,
    runs,
    select,
    sync,
    tokens,
    watch,
    webhooks,
    writers,
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Experiment tracking that never loses a point. `fleetlog up` starts a server on this machine.",
)
runs.app.command("watch")(watch.watch)
runs.app.command()(branches.branches)
runs.app.command()(writers.writers)
runs.app.command("import")(importing.import_)
for change in (exporting.export, changing.finish, changing.rename, changing.tag, changing.delete, changing.restore):
    runs.app.command()(change)
app.add_typer(runs.app, name="runs", rich_help_panel="Client")
app.add_typer(metrics.app, name="metrics", rich_help_panel="Client")
app.add_typer(artifacts.app, name="artifacts", rich_help_panel="Client")
app.add_typer(experiments.app, name="experiments", rich_help_panel="Client")
app.add_typer(models.app, name="models", rich_help_panel="Client")
app.add_typer(webhooks.app, name="webhooks", rich_help_panel="Client")
app.add_typer(tokens.app, name="tokens", rich_help_panel="Client")
app.command(rich_help_panel="Client")(sync.sync)
app.command("import", rich_help_panel="Client")(import_source.import_)
app.command("export", rich_help_panel="Client")(export_all.export)
app.command("loadtest", rich_help_panel="Client")(loadtest.loadtest)
for who in (tokens.login, tokens.logout, tokens.whoami):
    app.command(rich_help_panel="Client")(who)
app.command("mlflow-ui", rich_help_panel="Client")(mlflow_ui.mlflow_ui)
app.command("audit", rich_help_panel="Client")(audit.audit)
for command in (select.select, facets.keys, facets.values):
    app.command(rich_help_panel="Client")(command)


@runtime_checkable
class UsageError(Protocol):
    """What typer raises for a wrong command line. By its version it has click inside or beside it: no one class."""

    exit_code: int

    def show(self) -> None:
        """Print it."""


@app.command(rich_help_panel="Client")
def version() -> None:
    """Print the version."""
    print(fleetlog.__version__)


def run_app() -> int:
    """Run the command line; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of fewer characters, ASCII or cp1252, shows the others as escapes.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False)
    except fleetlog.FleetlogError as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # The reader of a pipe went away; there is nobody to tell.
        sys.stderr.close()
        return 141
    except Exception as error:
        if not isinstance(error, UsageError):
            raise
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0
