"""What a process writes about its work: lines of text, or one JSON object a line for machines that collect them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from fleetlog_core.printable import printable, printable_json

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
QUIETER = {"kafka": logging.WARNING, "clickhouse_driver": logging.ERROR}
"""Drivers that tell each step of theirs, or an error that is told by who called them too; and what is left of that."""


class TextFormatter(logging.Formatter):
    """A line for each record, whatever texts of users are in its message; a stack follows in lines of its own."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """See logging.Formatter."""
        record.message = printable(record.message)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """`time` (UTC, RFC 3339), `level`, `logger`, `message`, `process` as given, and `error` with its stack."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": self._process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return printable_json(json.dumps(told, ensure_ascii=False))


def configure(process: str, form: str, level: str, file: Path | None = None) -> None:
    """Write to the file, or to stderr. What was configured before is replaced. OSError."""
    handler = logging.StreamHandler() if file is None else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(JsonFormatter(process) if form == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name, least in QUIETER.items():
        logging.getLogger(name).setLevel(max(least, logging.getLogger().level))
