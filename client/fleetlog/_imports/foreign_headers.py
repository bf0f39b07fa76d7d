"""What the columns of a table of runs are that another tool wrote, by their names and cells. Pure, and told before
anything is sent.

1. A column that is mapped is what it is mapped to; `-` leaves it out.
2. In a table that W&B or MLflow's page wrote, their own columns are attributes and tags.
3. Of its other columns, which those tools don't tell apart, those of numbers are metrics and all else are params.

Any other table has the names of docs/importing.md, and is not changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fleetlog_core.errors import shown

LEFT_OUT = "-"
Column = TypeVar("Column", bound=Sequence[Any])
_KINDS = ("params.", "metrics.", "tags.", "steps.", "times.")
_WANDB = {
    "ID": "run_id", "Name": "name", "State": "state", "User": "user", "Created": "start_time",
    "Notes": "tags.mlflow.note.content", "Tags": "tags.tags", "Group": "tags.group", "Job Type": "tags.job_type",
    "Sweep": "tags.sweep", "Commit": "tags.mlflow.source.git.commit", "Hostname": "tags.host", "GitHub": LEFT_OUT,
}  # fmt: skip
_MLFLOW = {
    "Run ID": "run_id", "Name": "name", "Run Name": "name", "Status": "state", "User": "user",
    "Start Time": "start_time", "Duration": LEFT_OUT, "Source Type": "tags.mlflow.source.type",
    "Source Name": "tags.mlflow.source.name",
    "Source": "tags.mlflow.source.name", "Version": "tags.mlflow.source.git.commit", "Models": "tags.models",
    "Dataset": "tags.dataset",
}  # fmt: skip
_TOOLS = ((frozenset({"Name", "State", "Created"}), _WANDB), (frozenset({"Run ID", "Start Time"}), _MLFLOW))
"""Columns by which a tool is known, and what its columns are."""
_HISTORY = frozenset({"step", "value"})


class ForeignHeader:
    """Names of the columns of one table. `mapped`: column → target; after `renamed`, `names` has those that changed."""

    def __init__(self, mapped: Mapping[str, str] | None = None) -> None:
        self._mapped = mapped or {}
        self.names: dict[str, str] = {}
        """Column → its name here, LEFT_OUT for those that are left out."""

    @classmethod
    def of(cls, pairs: Sequence[str]) -> ForeignHeader:
        """Returns the header of pairs COLUMN:TARGET. ValueError."""
        mapped: dict[str, str] = {}
        for pair in pairs:
            column, sign, target = pair.rpartition(":")
            if not sign or not column or not target:
                raise ValueError(
                    f"{shown(pair)}: give COLUMN:TARGET, such as lr:params.lr, or COLUMN:- to leave it out"
                )
            mapped[column] = target
        return cls(mapped)

    def renamed(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Returns the columns by their names here.

        ValueError: a column that is mapped is not there, two would have one name, or the table is a history.
        """
        self.names = self._named(columns)
        targets = [self.names.get(column, column) for column in columns]
        for target in targets:
            if target != LEFT_OUT and targets.count(target) > 1:
                both = [shown(column) for column in columns if self.names.get(column, column) == target]
                raise ValueError(f"columns {' and '.join(both)} would both be {target}: map one of them otherwise")
        return {name: cells for name, cells in zip(targets, columns.values(), strict=True) if name != LEFT_OUT}

    def in_words(self) -> str:
        """Returns what the columns are read as that have other names here."""
        return ", ".join(
            f"{column} is left out" if name == LEFT_OUT else f"{column} as {name}"
            for column, name in self.names.items()
        )

    def _named(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, str]:
        if missing := [column for column in self._mapped if column not in columns]:
            raise ValueError(f"there is no column {shown(missing[0])}: there are {', '.join(list(columns)[:20])}")
        if not self._mapped and {name.lower() for name in columns} >= _HISTORY:
            raise ValueError("its rows are steps of a history, not runs: `fleetlog import table FILE` brings those")
        known = next((names for signs, names in _TOOLS if signs <= columns.keys()), {})
        found = dict(self._mapped)
        for column, cells in columns.items():
            if known and column and column not in found and not column.startswith(_KINDS):
                kind = "metrics" if _is_numbers(cells) else "params"
                found[column] = known.get(column) or f"{kind}.{column}"
        return found


def _is_numbers(cells: Sequence[Any]) -> bool:
    there = [cell for cell in cells if cell is not None and cell != ""]
    return bool(there) and all(map(_is_number, there))


def _is_number(cell: Any) -> bool:
    if isinstance(cell, bool):
        return False
    try:
        float(str(cell).replace(",", ".", 1))
    except ValueError:
        return False
    return True
