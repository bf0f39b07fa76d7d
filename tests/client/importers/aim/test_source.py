"""What can be said of Aim's repositories without Aim."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fleetlog.importers import SourceError, open_source
from fleetlog.importers.aim.source import key_of


def test_without_aim_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aim").mkdir()
    monkeypatch.setitem(sys.modules, "aim", None)
    with pytest.raises(SourceError, match="pip install aim"):
        open_source("aim", tmp_path)


def test_folders_without_a_repository_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="aim init"):
        open_source("aim", tmp_path)


def test_a_context_stands_in_front_of_the_key() -> None:
    assert key_of("loss", {}) == "loss"
    assert key_of("loss", {"subset": "val"}) == "val/loss"
    assert key_of("loss", {"subset": "val", "fold": 3}) == "fold=3/subset=val/loss"
