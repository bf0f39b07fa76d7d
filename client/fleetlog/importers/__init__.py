"""Histories of other trackers as runs: a reader a source, one writer for all."""

from fleetlog.importers.following import follow
from fleetlog.importers.importing import import_from
from fleetlog.importers.opening import KINDS, open_source
from fleetlog.importers.report import Report
from fleetlog.importers.source import (
    DescribedSource,
    Fork,
    Points,
    Source,
    SourceDataset,
    SourceError,
    SourceExperiment,
    SourceFile,
    SourceRun,
    Unread,
)
from fleetlog.importers.survey import Survey, survey
from fleetlog.importers.verify import Verification, verify
from fleetlog.importers.writer import ImportWriter, Progress

__all__ = [
    "KINDS",
    "DescribedSource",
    "Fork",
    "ImportWriter",
    "Points",
    "Progress",
    "Report",
    "Source",
    "SourceDataset",
    "SourceError",
    "SourceExperiment",
    "SourceFile",
    "SourceRun",
    "Survey",
    "Unread",
    "Verification",
    "follow",
    "import_from",
    "open_source",
    "survey",
    "verify",
]
