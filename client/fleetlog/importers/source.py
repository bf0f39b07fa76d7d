"""What a source of runs tells of itself: the port between the readers, one for each source, and the one writer.

A reader knows its source's files and nothing of fleetlog's server; the writer knows the server and no source. All is
read lazily and in pieces: a history may be larger than the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Param = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Points:
    """Points of one series, in the order in which the source has them: arrays of one length."""

    key: str
    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    times: npt.NDArray[np.int64]
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a run, of a model or of a version."""

    path: str
    """Path below the run's files, with slashes."""
    open: Callable[[], BinaryIO]
    """The file's content, from its beginning; OSError if it is not there any more."""
    size: int | None = None
    """Bytes, where the source knows them."""
    local: Path | None = None
    """The file itself, where it is on this machine's disk."""


@dataclass(frozen=True, slots=True)
class SourceDataset:
    """A dataset that a run read."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    context: str = ""
    """What it was read for, such as "training"."""
    schema: str = ""
    profile: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a run's curves come from: another run of the source, up to a step of it."""

    run: str
    step: int


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run as its source has it."""

    id: str
    """The source's own id; the run's id here is it, or is derived from it."""
    experiment: str
    name: str = ""
    user: str = ""
    state: str = "FINISHED"
    """RUNNING, FINISHED, FAILED, KILLED or LOST."""
    start_time: int | None = None
    """Milliseconds since 1970; None = the source does not know it."""
    end_time: int | None = None
    parent: str | None = None
    """Id in the source of the run that this one is part of."""
    fork: Fork | None = None
    deleted: bool = False
    params: Mapping[str, Param] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[SourceDataset] = ()
    input_models: Sequence[str] = ()
    """Ids in the source of logged models that the run read."""
    output_models: Sequence[tuple[str, int]] = ()
    """Ids in the source of logged models that the run made, and the step that each is of."""
    points: Callable[[], Iterator[Points]] = lambda: iter(())
    """Every point of the run, in pieces of any size, of which many may be of one key; read once for each call, and in
    the same pieces each time while the source is the same."""
    files: Callable[[], Iterator[SourceFile]] = lambda: iter(())


@dataclass(frozen=True, slots=True)
class SourceExperiment:
    """An experiment that has more than a name."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """Something of a source that could not be read, or has no place here; the rest of it comes."""

    where: str
    """File, table or run, as the source's user knows it."""
    why: str
    offset: int | None = None
    """Byte, line or row from 0, where there is one."""
    count: int = 1
    """Points, records or items that are concerned; at least these."""
    is_fault: bool = True
    """False for what is known to have no place here: it is reported, and the exit status stays 0."""


class Source(Protocol):
    """A history of runs that is somewhere else. Reading raises SourceError only where nothing of it can be read."""

    kind: str
    """"mlflow", "tensorboard" …: the prefix of the tags that the writer adds."""

    def experiments(self) -> Iterator[SourceExperiment]:
        """Experiments that have more than a name."""
        ...

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Every run, a parent and what is forked from before their children; `since` = milliseconds since 1970: those
        that started or changed then or later."""
        ...

    def unread(self) -> Sequence[Unread]:
        """What has been left out so far."""
        ...


@runtime_checkable
class DescribedSource(Source, Protocol):
    """A source whose columns are taken for something by a rule, which its user is told before anything is sent."""

    def described(self) -> Iterator[str]:
        """Lines for the user. SourceError."""
        ...


class SourceError(Exception):
    """A source that can't be read at all: its message names the place, what was expected there, and the mend."""
