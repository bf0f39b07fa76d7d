"""Long texts of datasets: schemas of wide tables, profiles of many columns. They are kept as files of the run.

A file is named by the SHA-256 of its text: of what is logged again and again there is one in each run.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from fleetlog_core import limits
from fleetlog_core.rules.datasets import TEXTS
from fleetlog_proto.v1 import event_pb2, run_pb2

from fleetlog._files.artifacts import artifact_event
from fleetlog.client import Client
from fleetlog.errors import NotFound
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.ledger import WrittenRun
from fleetlog.mlflow_plugin.run_writers import RunWriters

FOLDER = "datasets"
"""Folder of the run's artifacts."""
HELD_CHARACTERS = 64 << 20
"""Characters of texts that are remembered."""


class DatasetTexts:
    """Puts long texts into files of the run, and takes them out again. Remembers those that it saw."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, str] = OrderedDict()
        self._held_characters = 0

    def put(self, writers: RunWriters, run: WrittenRun, datasets: Iterable[event_pb2.Dataset]) -> None:
        """Put a file of the run in place of each text that is too long. MlflowException, OSError."""
        for dataset in datasets:
            for name in TEXTS:
                content = getattr(dataset, name).encode()
                if len(content) > limits.DATASET_TEXT_BYTES:
                    path = f"{FOLDER}/{hashlib.sha256(content).hexdigest()}.txt"
                    self._keep(writers, run, path, content)
                    self._hold(path, getattr(dataset, name))
                    setattr(dataset, name, "")
                    dataset.text_files[name] = path

    def fill(self, writers: RunWriters, run: run_pb2.Run) -> None:
        """Put the texts of files into the datasets; one whose file was deleted stays empty. MlflowException."""
        for dataset in run.datasets:
            for name, path in dataset.text_files.items():
                if name in TEXTS:
                    setattr(dataset, name, self._read(writers, run.run_id, path))

    def _keep(self, writers: RunWriters, run: WrittenRun, path: str, content: bytes) -> None:
        author = writers.author(run.run_id)
        with tempfile.TemporaryDirectory() as folder, translated():
            file = Path(folder) / "text"
            file.write_bytes(content)
            event = artifact_event(writers.connection, author, file, path, 0)
            writers.tell(author, artifact_logged=event.artifact_logged)

    def _read(self, writers: RunWriters, run_id: str, path: str) -> str:
        held = self._held.get(path)
        if held is not None:
            self._held.move_to_end(path)
            return held
        client = Client(writers.place.target, writers.place.namespace)
        with tempfile.TemporaryDirectory() as folder, translated():
            try:
                content = client.download_artifact(run_id, path, Path(folder) / "text").read_bytes()
            except NotFound:
                return ""
        text = content.decode(errors="replace")
        # Any file may be named; of one that is no text's own, this run's is not another's.
        if path == f"{FOLDER}/{hashlib.sha256(content).hexdigest()}.txt":
            self._hold(path, text)
        return text

    def _hold(self, path: str, text: str) -> None:
        if path in self._held:
            return
        self._held[path] = text
        self._held_characters += len(text)
        while self._held_characters > HELD_CHARACTERS:
            self._held_characters -= len(self._held.popitem(last=False)[1])
