"""A run's life cycle, folded from its events.

    RunStarted   the first sets name, user, start time and parent (and the experiment, when nothing else of the run
                 came before it); RESUME makes the run running again, and so does a writer that tells when it ends;
                 other later ones change nothing here, and ANNOTATE never does
    RunUpdated   sets name, state and end time, whatever they were
    RunFinished  of a writer that tells when it ends: the run ends with the last of them, see endings; of another one
                 sets state and end time, as often as it comes
    RunLost      ends it for as long as nothing is heard of its writers
    RunDeleted   hides, RunRestored shows
    RunPurged    takes it away for good
    RunBranched  tells where it goes on from; a rewind puts it in its source's place (branches)

An event of a run that nobody started makes the run, in experiment 0, so that nothing is lost. The experiment of a run
never changes: its rows lie by experiment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fleetlog_core.endings import Endings, new_life, worse
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.warehouse.schema import PURGED, SUPERSEDED
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.branches import ALONE, Branch

NO_PARENT = bytes(ID_BYTES)
_ENDED = (event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_KILLED)


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `runs`. Times are Unix milliseconds, `end_time` 0 = has not ended."""

    experiment: int = 0
    name: str = ""
    user: str = ""
    state: int = int(event_pb2.RUN_STATE_RUNNING)
    start_time: int = 0
    end_time: int = 0
    parent_run_id: bytes = NO_PARENT
    deleted: bool = False
    started: bool = False
    ver: int = 0
    delete_time: int = 0
    purged: bool = False
    endings: Endings | None = None
    """None while no writer has opened it that tells when it ends."""
    branch: Branch = ALONE

    @property
    def visibility(self) -> int:
        """As `runs.deleted` says it: 0 shown, 1 deleted, 2 purged, 3 superseded."""
        if self.purged:
            return PURGED
        return 1 if self.deleted else SUPERSEDED if self.branch.is_superseded else 0


def started(run: Run | None, event: event_pb2.RunStarted, time: int, offset: int, *, resumes: bool = True) -> Run:
    """After RunStarted. `time` is when it was made, as well as is known. `resumes`: RESUME begins a life of the run."""
    if event.opening == event_pb2.RUN_OPENING_ANNOTATE:
        # Whoever says something of a run does not start it: its own start may come yet.
        return run or Run(experiment=event.experiment_id, start_time=event.start_time_millis or time, ver=offset)
    if run is None or not run.started:
        parent = event.parent_run_id
        before = Run(experiment=event.experiment_id) if run is None else run
        # In full: dataclasses.replace costs more than all else that is done here.
        run = Run(
            experiment=before.experiment,
            name=before.name or event.name,
            user=event.user,
            state=before.state,
            start_time=event.start_time_millis or time,
            end_time=before.end_time,
            parent_run_id=parent if len(parent) == ID_BYTES else NO_PARENT,
            deleted=before.deleted,
            started=True,
            ver=offset,
            delete_time=before.delete_time,
            purged=before.purged,
            endings=before.endings,
            branch=before.branch,
        )
    if event.opening == event_pb2.RUN_OPENING_RESUME and resumes:
        endings = None if run.endings is None else new_life(offset)
        run = replace(run, state=int(event_pb2.RUN_STATE_RUNNING), end_time=0, ver=offset, endings=endings)
    return run


def follow(run: Run, endings: Endings, offset: int, heard_time: int = 0) -> Run:
    """The run after its writers came to be so. `heard_time` is when they were last heard of, of one that is lost."""
    state = 0 if endings.fixed else endings.state
    if not state:
        return replace(run, endings=endings, ver=offset)
    if state == event_pb2.RUN_STATE_RUNNING:
        end_time = 0
    elif state == event_pb2.RUN_STATE_LOST:
        end_time = max(endings.last_end, heard_time or run.end_time)
    else:
        end_time = endings.last_end
    return replace(run, state=state, end_time=end_time, endings=endings, ver=offset)


def writer_ended(run: Run, endings: Endings, since: int, event: event_pb2.RunFinished, time: int, offset: int) -> Run:
    """After RunFinished of a writer that tells when it ends, and was at work since then."""
    after = endings.ended(since, end_state(event), event.end_time_millis or time)
    return run if after is endings else follow(run, after, offset)


def endings_of(run: Run) -> Endings:
    """What is known of the ends of its writers, also before any of them told it."""
    if run.endings is not None:
        return run.endings
    return Endings(worst=run.state, last_end=run.end_time) if run.state in _ENDED else Endings()


def end_state(event: event_pb2.RunFinished) -> int:
    """The state in which it ends."""
    return int(event.state if event.state in _ENDED else event_pb2.RUN_STATE_FINISHED)


def unstarted(time: int, offset: int) -> Run:
    """A run that is known by an event other than RunStarted."""
    return Run(start_time=time, ver=offset)


def updated(run: Run, event: event_pb2.RunUpdated, time: int, offset: int) -> Run:
    """After RunUpdated."""
    if not (event.HasField("name") or event.state or event.HasField("end_time_millis")):
        return run
    end_time = run.end_time
    if event.HasField("end_time_millis"):
        end_time = event.end_time_millis
    elif event.state:
        end_time = time if event.state in _ENDED else 0
    endings = run.endings
    if endings is not None and event.state:
        endings = new_life(offset, fixed=event.state in _ENDED)
    return replace(
        run,
        name=event.name if event.HasField("name") else run.name,
        state=int(event.state) or run.state,
        end_time=end_time,
        ver=offset,
        endings=endings,
    )


def finished(run: Run, event: event_pb2.RunFinished, time: int, offset: int, *, given: bool = False) -> Run:
    """After RunFinished of a writer that does not tell when it ends. `given`: it is somebody's word on the run."""
    state, end_time = end_state(event), event.end_time_millis or time
    before, endings = run.endings, None
    if before is not None:
        # Whoever else is at work is heard of again.
        endings = new_life(offset, fixed=given)
        if not given:
            if before.fixed:
                return run
            state, end_time = worse(before.worst, state), max(before.last_end, end_time)
            endings = replace(endings, worst=state, last_end=end_time)
    return replace(run, state=state, end_time=end_time, ver=offset, endings=endings)


def hidden(run: Run, deleted: bool, time: int, offset: int) -> Run:
    """After RunDeleted (True) or RunRestored (False). Of several deletions the time of the first stays."""
    delete_time = (run.delete_time or time) if deleted else 0
    return replace(run, deleted=deleted, delete_time=delete_time, ver=offset)


def purged(run: Run, time: int, offset: int) -> Run:
    """After RunPurged."""
    return replace(run, deleted=True, delete_time=run.delete_time or time, purged=True, ver=offset)
