from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleetlog_core.printable import HIDDEN, printable
from fleetlog_core.serving.diagnostics import configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    # Taken off: configure closes those that it finds.
    root.handlers[:] = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_object_a_line_with_the_stack_inside(tmp_path: Path) -> None:
    file = tmp_path / "log"
    configure("gateway", "json", "info", file)
    logger = logging.getLogger("fleetlog_core.test")
    logger.debug("too small")
    logger.warning("two\nlines of %s", "ü")
    try:
        raise KeyError("missing")
    except KeyError:
        logger.exception("it failed")
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert first["time"].endswith("+00:00")
    del first["time"]
    assert first == {
        "level": "warning", "logger": "fleetlog_core.test", "process": "gateway", "message": "two\nlines of ü",
    }  # fmt: skip
    assert second["level"] == "error"
    assert "KeyError: 'missing'" in second["error"]


def test_text_and_drivers_that_talk_too_much(tmp_path: Path) -> None:
    file = tmp_path / "log"
    configure("gateway", "text", "info", file)
    logging.getLogger("kafka.conn").info("a step")
    logging.getLogger("kafka.conn").warning("a problem")
    logging.getLogger("fleetlog").info("ready")
    lines = file.read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["WARNING kafka.conn a problem", "INFO fleetlog ready"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_text_of_a_user_is_one_line_that_no_terminal_obeys(tmp_path: Path, form: str) -> None:
    file, path = tmp_path / "log", "a\x1b[2J\nINFO fleetlog ready\u202e\x9b"
    configure("gateway", form, "info", file)
    logging.getLogger("fleetlog_core.test").warning("artifact %s is damaged", path)
    (line,) = file.read_text().splitlines()
    assert not HIDDEN.search(line)
    if form == "json":
        assert json.loads(line)["message"] == f"artifact {path} is damaged"
    else:
        assert line.endswith(f"artifact {printable(path)} is damaged")
