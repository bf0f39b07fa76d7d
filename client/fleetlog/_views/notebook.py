"""Runs, lists of them and selections as a notebook shows them: a small table, curves, and links to the web UI.

What is shown of them was read before. Curves and links are asked for now; where they can't be had the table is there
without them, since who looks at a cell can do nothing about an error in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from fleetlog._values.as_of import AsOf
from fleetlog._views import markup
from fleetlog._views.series import Buckets
from fleetlog.errors import FleetlogError

if TYPE_CHECKING:
    from fleetlog._views.selection import Selection
    from fleetlog._views.views import RunView

RUNS = 20
"""Maximum of runs or groups in a table."""
CURVES = 12
"""Maximum of metrics of one run with a curve."""
KEYS = 4
"""Maximum of params and of metrics in a list of runs."""
ITEMS = 50
"""Maximum of params, tags and metrics of one run."""
BUCKETS = 60
"""Buckets of a curve."""

Curves = Mapping[tuple[str, str], Sequence[float]]
"""Means of buckets by run and metric."""


class Pages(Protocol):
    """What tables need to ask for."""

    def read_curves(
        self, run_ids: Sequence[str], keys: Sequence[str], buckets: int = 1000, *, as_of: AsOf | None = None
    ) -> list[Buckets]:
        """Metrics of runs in buckets."""
        ...

    def run_url(self, run_id: str) -> str | None:
        """Address of the run's page."""
        ...


def run_html(run: RunView, pages: Pages, as_of: AsOf | None) -> str:
    """One run."""
    keys = list(run.metrics)[:ITEMS]
    curves = _curves(pages, [run.id], keys[:CURVES], as_of)
    metrics = [
        [markup.text(key), markup.number(run.metrics[key]), markup.curve(curves.get((run.id, key), ()), key)]
        for key in keys
    ]
    texts = [
        [markup.text(f"{kind}.{key}"), markup.number(value)]
        for kind, values in (("params", run.params), ("tags", run.tags))
        for key, value in list(values.items())[:ITEMS]
    ]
    problems = [[markup.text(one.reason), markup.text(one.message)] for one in run.problems[:ITEMS]]
    return markup.block(
        f"{_name(run, _urls(pages, [run]))} · {_state(run)}",
        markup.table(["metric", "last", ""], metrics) if metrics else "",
        markup.table([], texts) if texts else "",
        markup.table(["problem", ""], problems) if problems else "",
    )


def runs_html(runs: Sequence[RunView], count: int | None, pages: Pages | None, as_of: AsOf | None) -> str:
    """The first runs of a list of `count`; None = nobody counted them."""
    shown = list(runs)
    if not shown or pages is None:
        return markup.block("no runs")
    params = _varied([run.params for run in shown])
    keys = list(dict.fromkeys(key for run in shown for key in run.metrics))[:KEYS]
    curves = _curves(pages, [run.id for run in shown], keys[:1], as_of)
    urls = _urls(pages, shown)
    rows = []
    for run in shown:
        row = [_name(run, urls), _state(run)]
        row += [markup.number(run.params[key]) if key in run.params else "" for key in params]
        row += [markup.number(run.metrics[key]) if key in run.metrics else "" for key in keys]
        rows.append([*row, *(markup.curve(curves.get((run.id, key), ()), key) for key in keys[:1])])
    many = "more" if count is None else f"{count:,}"
    title = f"{len(shown):,} of {many} runs" if count != len(shown) else f"{count:,} run{'s' * (count != 1)}"
    return markup.block(title, markup.table(["name", "state", *params, *keys, *keys[:1]], rows))


def selection_html(selection: Selection, pages: Pages | None) -> str:
    """The best groups, and how many runs there were."""
    rows = []
    groups = selection[:RUNS]
    urls = {} if pages is None else _urls(pages, [group.run for group in groups])
    names = list(groups[0].objectives) if groups else []
    for group in groups:
        values = ", ".join(f"{key} = {'—' if value is None else value}" for key, value in group.values.items())
        row = [markup.text(group.rank), markup.text(values), markup.text(group.count)]
        for name in names:
            stats = group.objectives[name]
            spread = f" ± {markup.number(stats.std)}" if group.count > 1 else ""
            row.append(markup.number(stats.value) + spread)
        rows.append([*row, _name(group.run, urls)])
    title = f"{len(groups):,} of {selection.groups_compared:,}, from {selection.candidates:,} runs"
    head = ["rank", "group", "runs", *names, "best run"]
    return markup.block(title, markup.table(head, rows) if rows else "")


def open_run_html(run_id: str, experiment: str, url: str) -> str:
    """A run that is being written."""
    shown = markup.link(url, markup.text(run_id))
    return markup.block(f"{shown} · {markup.text(f'run in {experiment}')}")


def _name(run: RunView, urls: Mapping[str, str]) -> str:
    return markup.link(urls.get(run.id, ""), markup.text(run.name or run.id[:12]))


def _state(run: RunView) -> str:
    took = "" if run.duration is None else f", {_words(run.duration)}"
    return markup.quiet(f"{run.state.lower()}{', deleted' if run.deleted else ''}{took}")


def _words(took: timedelta) -> str:
    seconds = took.total_seconds()
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"


def _varied(params: Sequence[Mapping[str, object]]) -> list[str]:
    """Keys whose values differ between runs first, then the others: the first few."""
    keys = list(dict.fromkeys(key for one in params for key in one))
    return sorted(keys, key=lambda key: len({repr(one.get(key)) for one in params}) < 2)[:KEYS]


def _urls(pages: Pages, runs: Sequence[RunView]) -> dict[str, str]:
    try:
        return {run.id: pages.run_url(run.id) or "" for run in runs}
    except FleetlogError:
        return {}


def _curves(pages: Pages, run_ids: Sequence[str], keys: Sequence[str], as_of: AsOf | None) -> Curves:
    if not keys:
        return {}
    try:
        found = pages.read_curves(run_ids, keys, BUCKETS, as_of=as_of)
    except FleetlogError:
        return {}
    return {(one.run_id, one.key): [float(mean) for mean in one.means] for one in found}
