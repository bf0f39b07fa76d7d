"""fleetlog loadtest: does a server keep its promises under a load?"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from fleetlog_core.times import to_millis
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, print_rows, say
from fleetlog.errors import InvalidArgument

if TYPE_CHECKING:
    from fleetlog.loadtest.profile import Profile
    from fleetlog.loadtest.report import Report
    from fleetlog.loadtest.running import Progress as Told
    from fleetlog.loadtest.schedule import Share

COLUMNS = ("what", "count", "p50_ms", "p95_ms", "p99_ms", "max_ms", "measured")
TITLES = ("what", "count", "p50 ms", "p95 ms", "p99 ms", "max ms", "measured")
NAMES = "smoke, team, fleet, burst"


def loadtest(
    profile: Annotated[str, typer.Argument(help=f"A TOML file, or one that is built in: {NAMES}.")] = "smoke",
    workers: Annotated[int | None, typer.Option(help="Workers, instead of the profile's.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long they log, instead of the profile's.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the load and its experiment; the same on all machines.")
    ] = None,
    share: Annotated[str, typer.Option(help="This machine's share of the workers: 2/4 is the second of four.")] = "1/1",
    at: Annotated[
        str | None, typer.Option("--at", help="When to begin, on all machines: 2026-01-31T12:00:00Z.")
    ] = None,
    merge: Annotated[
        list[Path] | None,
        typer.Option(help="Runs no load: reports of machines (--json) become one; may be repeated."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the profile as TOML, and run nothing.")] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Put a load on a server, and look whether it keeps its promises: all that is acknowledged is read again.

    Each worker has a stream of its own, as training processes have, and a ledger of what it was told is durable. The
    report has latencies of acknowledgements, reads and searches, how far the tables were behind, and points that were
    lost, twice, wrong or late. Ctrl-C ends the load in order: what was acknowledged is compared all the same; Ctrl-C
    again leaves at once. The exit status is 1 when something was lost, or is not known to be there.

    The runs stay in an experiment of the load's name, loadtest-… unless you give one.

    For example:

    fleetlog loadtest --target fleetlogs://tracking.example.com

    fleetlog loadtest fleet --workers 2000 --seconds 120

    fleetlog loadtest fleet --show > mine.toml

    fleetlog loadtest mine.toml --name monday --share 1/2 --at 2026-01-31T12:00:00Z --json > one.json

    fleetlog loadtest --merge one.json --merge two.json
    """
    from fleetlog.loadtest.report import Report, merged
    from fleetlog.loadtest.schedule import share_of

    if merge:
        report = merged([Report.of(_json(path)) for path in merge])
        _print(report, as_json)
        raise typer.Exit(0 if report.is_whole else 1)
    chosen = _profile(profile, workers, seconds)
    if show:
        from fleetlog.loadtest.profile_text import as_toml

        print(as_toml(chosen), end="")
        return
    part = share_of(share)
    if part.of > 1 and name is None:
        raise typer.BadParameter("machines of one load give the same --name", param_hint="--name")
    begins = _moment(at)
    own = name or time.strftime("loadtest-%Y%m%d-%H%M%S", time.gmtime())
    report = _run(chosen, own, part, begins, target, namespace)
    _print(report, as_json)
    if not report.is_whole:
        raise typer.Exit(1)


def _run(
    profile: Profile, name: str, share: Share, start_at: float | None, target: str | None, namespace: str | None
) -> Report:
    from fleetlog.loadtest.running import LoadTest

    with _progress() as tell:
        test = LoadTest(
            profile, name, share, target=target, namespace=namespace, start_at=start_at, tell=tell
        )  # fmt: skip
        return test.run(_end_in_order)


def _end_in_order(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Ctrl-C ends the load in order, and the second one at once."""

    def first() -> None:
        say("ending the load: Ctrl-C again leaves at once")
        loop.remove_signal_handler(signal.SIGINT)
        stop()

    # Windows has no such handlers: there Ctrl-C leaves at once.
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, first)


def _profile(name: str, workers: int | None, seconds: float | None) -> Profile:
    from fleetlog.loadtest.profile import BUILT_IN, changed, parse

    found = BUILT_IN.get(name)
    if found is None:
        try:
            found = parse(Path(name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            message = f"{name} is no file that can be read ({why}), and none of {', '.join(BUILT_IN)}"
            raise typer.BadParameter(message, param_hint="PROFILE") from None
    given = {"workers": workers, "seconds": seconds}
    return changed(found, {key: value for key, value in given.items() if value is not None})


def _json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path} can't be read: {error}", param_hint="--merge") from None
    if not isinstance(found, dict):
        raise InvalidArgument.of_field("REPORT_INVALID", "report", f"{path} is no report of `fleetlog loadtest --json`")
    return found


def _moment(at: str | None) -> float | None:
    try:
        return None if at is None else to_millis(at) / 1000
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from None


@contextmanager
def _progress() -> Iterator[Callable[[Told], None]]:
    """A line with workers and points, on a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), TextColumn("{task.fields[working]:,} workers"),
        TextColumn("{task.fields[sent]:,} points sent"), TextColumn("{task.completed:,.0f} done"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("preparing", total=None, working=0, sent=0)

        def tell(told: Told) -> None:
            progress.update(
                task, description=told.phase, completed=told.durable, working=told.working, sent=told.sent
            )  # fmt: skip

        yield tell


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict())
        return
    from fleetlog.loadtest.report import lines_of, rows_of

    print_rows(COLUMNS, rows_of(report), titles=TITLES)
    for line in lines_of(report):
        say(line)
    say("every acknowledged point is there" if report.is_whole else "NOT everything is as it was acknowledged")
