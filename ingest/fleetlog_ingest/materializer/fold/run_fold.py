"""The fold of a run's own events into rows: all but its metrics, and what logged models have too. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fleetlog_core.endings import ENDED, Work, new_life, time_of
from fleetlog_core.limits import RunLimits
from fleetlog_core.rules.run_keys import TOO_MANY_TAGS, beyond, words
from fleetlog_core.warehouse.schema import KeyKind
from fleetlog_proto.v1 import event_pb2
from google.protobuf.internal.containers import ScalarMap

from fleetlog_ingest.materializer.fold import branches, params, runs
from fleetlog_ingest.materializer.fold.event_rows import EventRows
from fleetlog_ingest.materializer.fold.model_fold import Problem
from fleetlog_ingest.materializer.fold.params import Values
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey, RunKeys, State, WriterKey, Written
from fleetlog_ingest.materializer.fold.write_once import DATASETS, MODELS, PARAMS, OnceKind, sort_out

REWIND_CONFLICT = "REWIND_CONFLICT"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose event it is, and where it stands: its time and that of the gateway in Unix milliseconds, and its offset.

    `next_ver` gives the `ver` of the first of a number of rows. `given`: it comes by a request of somebody who says
    something of the run. `redelivered`: see Frame.
    """

    key: RunKey
    writer: WriterKey
    rank: int
    time: int
    ingest_time: int
    offset: int
    next_ver: Callable[[int], int]
    given: bool = False
    redelivered: bool = False


class RunFold:
    """Folds the events of runs of one batch; used once."""

    def __init__(self, before: State, changes: State, rows: EventRows, limits: RunLimits) -> None:
        self._before = before
        self._changes = changes
        self._rows = rows
        self._limits = limits

    def fold(self, event: event_pb2.Event, kind: str, place: Place) -> list[Problem]:
        """Apply an event that is one of runs alone. Returns what is wrong with it."""
        if kind == "run_started":
            return self._start(event.run_started, place)
        run, time = self.run(place.key, place.time, place.offset), place.time
        if kind == "params_logged":
            return self._params(event.params_logged.params, run, place)
        if kind == "tags_set":
            return self._tags(event.tags_set.tags, run, place)
        if kind == "datasets_logged":
            return self._datasets(event.datasets_logged.datasets, run, place)
        if kind == "run_branched":
            return self._branch(event.run_branched, run, place)
        if kind == "models_linked":
            asked = params.values_of_models(event.models_linked)
            return self._once(MODELS, asked, self._changes.linked, self._before.linked, self._limits.models, run, place)
        if kind == "series_inherited":
            self._inherit(event.series_inherited.series, run, place)
        elif kind == "tags_deleted":
            self._delete_tags(event.tags_deleted.keys, run, place)
        elif kind == "run_updated":
            self._change(place.key, runs.updated(run, event.run_updated, time, place.offset))
        elif kind == "run_finished":
            self._finish(event.run_finished, run, place)
        elif kind == "run_lost":
            self._lose(event.run_lost, run, place)
        elif kind == "run_purged":
            self._change(place.key, runs.purged(run, place.ingest_time or time, place.offset))
        else:
            hidden = kind == "run_deleted"
            self._change(place.key, runs.hidden(run, hidden, place.ingest_time or time, place.offset))
        return []

    def run(self, key: RunKey, time: int, offset: int) -> Run:
        """The run; made when nothing of it was seen before."""
        run = self._known(key)
        if run is None:
            run = runs.unstarted(time, offset)
            self._change(key, run)
        return run

    def keys(self, key: RunKey) -> RunKeys | None:
        """The keys of a run, to be changed; None when it can't come to a limit."""
        keys = self._changes.keys.get(key)
        if keys is None and (before := self._before.keys.get(key)) is not None:
            keys = self._changes.keys[key] = before.copy()
        return keys

    def heard(self, writer: WriterKey, offset: int, *, wrote: bool) -> bool:
        """A writer lives: when it had fallen silent it is at work again, and its run is running. True if that is so.

        `wrote`: metrics of it came, which bring a run back also by a writer that does not tell when it ends.
        """
        key = writer[:2]
        run, work = self._known(key), self.work(writer)
        endings = None if run is None else run.endings
        if run is None or endings is None or endings.fixed:
            return False
        if work is not None:
            if work.since == ENDED or endings.is_at_work(work.since):
                return False
            self._changes.work[writer] = work._replace(since=time_of(offset))
            self._change(key, runs.follow(run, endings.began_work(work.since), offset))
        elif wrote and run.state == event_pb2.RUN_STATE_LOST:
            kept = replace(new_life(offset), worst=endings.worst, last_end=endings.last_end)
            state = int(event_pb2.RUN_STATE_RUNNING)
            self._change(key, replace(run, state=state, end_time=0, endings=kept, ver=offset))
        else:
            return False
        return True

    def work(self, writer: WriterKey) -> Work | None:
        """The writer's work; None when it does not tell when it ends."""
        return self._changes.work.get(writer) or self._before.work.get(writer)

    def _finish(self, event: event_pb2.RunFinished, run: Run, place: Place) -> None:
        work = self.work(place.writer)
        if work is None or run.endings is None:
            after = runs.finished(run, event, place.time, place.offset, given=place.given)
        else:
            self._changes.work[place.writer] = work._replace(since=ENDED)
            after = runs.writer_ended(run, run.endings, work.since, event, place.time, place.offset)
        if after is not run:
            self._change(place.key, after)

    def _lose(self, event: event_pb2.RunLost, run: Run, place: Place) -> None:
        endings = run.endings
        if endings is None or not endings.at_work or endings.fixed or run.ver != event.ver:
            return
        lost = endings.lose(place.offset)
        self._change(place.key, runs.follow(run, lost, place.offset, event.heard_time_millis))

    def _known(self, key: RunKey) -> Run | None:
        run = self._changes.runs.get(key)
        return run if run is not None else self._before.runs.get(key)

    def _change(self, key: RunKey, run: Run) -> None:
        self._rows.run(key, run, new=self._known(key) is None)
        self._changes.runs[key] = run

    def _start(self, event: event_pb2.RunStarted, place: Place) -> list[Problem]:
        known, problems = self._known(place.key), list[Problem]()
        if known is not None and known.experiment != event.experiment_id:
            what = (
                f"experiment_id: {event.experiment_id} is not {known.experiment}, which the run has been in from its"
                " first event; a run can't change its experiment"
            )
            problems.append(("EXPERIMENT_FIXED", what))
        endings = None if known is None else known.endings
        # Of writers that a journal tells of, the order in the log is that of the deliveries.
        late = place.redelivered and endings is not None
        resumes = not (late and endings is not None and endings.last_end > place.time)
        run = runs.started(known, event, place.time, place.offset, resumes=resumes)
        if event.heartbeats and event.opening != event_pb2.RUN_OPENING_ANNOTATE:
            silent = late and endings is not None and endings.life > 0 and event.opening != event_pb2.RUN_OPENING_RESUME
            self._changes.work[place.writer] = Work(time_of(0 if silent else place.offset), place.rank)
            if not silent:
                run = runs.follow(run, runs.endings_of(run).began_work(0), place.offset)
        if run is not known:
            self._change(place.key, run)
        return [*problems, *self._params(event.params, run, place), *self._tags(event.tags, run, place)]

    def _branch(self, event: event_pb2.RunBranched, run: Run, place: Place) -> list[Problem]:
        key, offset, source_id = place.key, place.offset, event.source_run_id
        self._rows.segments(key, event.segments, offset)
        if not event.rewinds:
            self._change(key, replace(run, branch=branches.forked(source_id, event.step), ver=offset))
            return []
        source_key = (key[0], source_id)
        source = self._known(source_key)
        # Folded again after a batch broke off, the source may be this branch's already.
        if source is None or source.branch.superseded_by not in (branches.NO_RUN, key[1]):
            self._change(key, runs.hidden(run, True, place.ingest_time or place.time, offset))
            why = "it is not in this partition of the log" if source is None else "another rewind of it came first"
            return [(REWIND_CONFLICT, f"source_run_id: run {source_id.hex()} can't be rewound: {why}; nothing changed")]
        self._rows.touch(source_key)
        branch = branches.rewound(source_id, source.branch, event.step)
        self._change(key, replace(run, branch=branch, ver=offset))
        self._change(source_key, replace(source, branch=source.branch.after_rewind(key[1]), ver=offset))
        return []

    def _inherit(self, series: Sequence[event_pb2.InheritedSeries], run: Run, place: Place) -> None:
        self._rows.inherited(place.key, run, place.offset, series)
        keys = self.keys(place.key)
        if keys is not None:
            keys.metrics.update(one.key for one in series)

    def _params(self, given: Sequence[event_pb2.Param], run: Run, place: Place) -> list[Problem]:
        if not given:
            return []
        written, before = self._changes.params, self._before.params
        return self._once(PARAMS, params.values_of(given), written, before, self._limits.params, run, place)

    def _datasets(self, given: Sequence[event_pb2.Dataset], run: Run, place: Place) -> list[Problem]:
        if not given:
            return []
        asked, written, before = params.values_of_datasets(given), self._changes.datasets, self._before.datasets
        return self._once(DATASETS, asked, written, before, self._limits.datasets, run, place)

    def _once(
        self, kind: OnceKind, asked: Values, written: Written, before: Written, limit: int, run: Run, place: Place
    ) -> list[Problem]:
        kept = written.get(place.key)
        if kept is None:
            kept = written[place.key] = dict(before.get(place.key, {}))
        found, problems = sort_out(kept, asked, limit), list[Problem]()
        if found.excess:
            problems.append((kind.too_many, words(kind.too_many, [kind.name(key) for key in found.excess], limit)))
        problems += [(kind.conflict, kind.told(*conflict)) for conflict in found.conflicts]
        self._attr_rows(run, kind.number, found.new, place)
        return problems

    def _tags(self, tags: ScalarMap[str, str], run: Run, place: Place) -> list[Problem]:
        # Not .items(), which is Python all the way.
        asked, problems = sorted(tags), list[Problem]()
        excess = self._no_room_for_tags(asked, place.key)
        if excess:
            problems.append((TOO_MANY_TAGS, words(TOO_MANY_TAGS, excess, self._limits.tags)))
            asked = [key for key in asked if key not in excess]
        self._attr_rows(run, KeyKind.TAG, params.texts_of(asked, [tags[key] for key in asked]), place)
        return problems

    def _delete_tags(self, keys: Sequence[str], run: Run, place: Place) -> None:
        # A key for which there is no room is not there: nothing is lost by passing it over.
        none_left = self._no_room_for_tags(keys, place.key)
        gone = [key for key in keys if key not in none_left]
        self._attr_rows(run, KeyKind.TAG, params.texts_of(gone, [""] * len(gone)), place, removed=True)

    def _no_room_for_tags(self, asked: Sequence[str], key: RunKey) -> dict[str, None]:
        """The tags among those asked for that are too many, in order; the others are tags of the run from now on."""
        keys = self.keys(key)
        if keys is None:
            return {}
        excess = dict.fromkeys(beyond(keys.tags, asked, self._limits.tags))
        keys.tags.update(tag for tag in asked if tag not in excess)
        return excess

    def _attr_rows(self, run: Run, kind: int, values: Values, place: Place, *, removed: bool = False) -> None:
        self._rows.attrs(place.key, run, kind, place.next_ver(len(values.keys)), values, removed=removed)
