"""Sources by their kind, each of which imports what it needs when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetlog.importers.source import Source, SourceError


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A kind of source: who opens one, and what may be said of it."""

    module: str
    function: str
    options: frozenset[str] = frozenset()
    place: str = "a folder"
    """What a place of it is, in words."""


KINDS: Mapping[str, SourceKind] = {
    "mlflow": SourceKind(
        "fleetlog.importers.mlflow", "open_mlflow", frozenset({"artifacts"}),
        "a folder mlruns, a database (mlflow.db, sqlite:///, postgresql://) or a server (http://)",
    ),
    "tensorboard": SourceKind(
        "fleetlog.importers.tensorboard.source", "open_tensorboard", frozenset({"join", "drop_superseded"}),
        "the folder that TensorBoard is started on, or an event file",
    ),
    "wandb": SourceKind("fleetlog.importers.wandb.source", "open_wandb", place="a folder `wandb`, or a .wandb file"),
    "neptune": SourceKind(
        "fleetlog.importers.neptune.source", "open_neptune", frozenset({"files", "step_multiplier"}),
        "a folder of neptune-exporter",
    ),
    "trackio": SourceKind(
        "fleetlog.importers.trackio.source", "open_trackio", place="TRACKIO_DIR, or a .db or .parquet file"
    ),
    "aim": SourceKind("fleetlog.importers.aim.source", "open_aim", place="a folder with .aim in it"),
    "table": SourceKind(
        "fleetlog.importers.tables.source", "open_tables", frozenset({"map", "encoding"}),
        "a .csv, .tsv or .parquet file with a row for each step, or a folder of them",
    ),
    "fleetlog": SourceKind("fleetlog.importers.export_folder", "open_export", place="a folder of `fleetlog export`"),
}  # fmt: skip


def open_source(kind: str, place: str | Path, **options: Any) -> Source:
    """Returns a source of a kind.

    Args:
        kind: One of KINDS.
        place: Its folder, file or URI.
        **options: What this kind takes beside; None = not given.

    Raises:
        SourceError: There is no such kind, it does not take an option, or nothing of the source can be read.

    """
    known = KINDS.get(kind)
    if known is None:
        raise SourceError(f"{kind[:40]!r} is no kind of source: there are {kinds_in_words()}")
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if unknown := sorted(given.keys() - known.options):
        raise SourceError(
            f"{kind} takes no {unknown[0]}: it takes {', '.join(sorted(known.options)) or 'a place alone'}"
        )
    opener: Callable[..., Source] = getattr(importlib.import_module(known.module), known.function)
    return opener(str(place), **given)


def kinds_in_words() -> str:
    """Returns the kinds, and what a place of each is."""
    return "; ".join(f"{name}: {known.place}" for name, known in KINDS.items())
