"""Kinds of sources, as the command names them."""

from __future__ import annotations

from fleetlog.cli.import_source import import_
from fleetlog.importers import KINDS


def test_the_help_of_the_command_names_every_kind() -> None:
    told = import_.__annotations__["kind"]
    assert [kind for kind in KINDS if kind not in str(told)] == []
