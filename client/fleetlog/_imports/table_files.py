"""Tables of runs in files: CSV, JSON lines, Parquet."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fleetlog_core import limits

from fleetlog._imports.csv_files import read_csv
from fleetlog._imports.foreign_headers import ForeignHeader
from fleetlog._imports.tables import columns_of
from fleetlog._imports.text_files import open_bytes, suffix_of
from fleetlog._values import params, steps
from fleetlog._values.leaves import leaves
from fleetlog._values.values import Unusable

_BLOCK_BYTES = 1 << 20
_CSV = (".csv", ".tsv")
_GROUPS = {
    "params": params.SEPARATOR,
    "metrics": steps.SEPARATOR,
    "steps": steps.SEPARATOR,
    "times": steps.SEPARATOR,
    "tags": ".",
    "attributes": ".",
}
"""Names under which a line may hold an object, and what joins the keys of objects in that."""


def read_table(
    path: Path, encoding: str | None = None, foreign: ForeignHeader | None = None
) -> dict[str, Sequence[Any]]:
    """The columns of a .csv, .tsv, .jsonl or .parquet file, the first three also as .gz. ValueError, OSError.

    ValueError says what is wrong with it. See csv_files for what CSV may look like; `encoding` is that of a CSV, and
    `foreign` gives columns of other tools the names that they have here.
    """
    suffix, header = suffix_of(path), foreign or ForeignHeader()
    if suffix in _CSV:
        return read_csv(path, encoding, header.renamed)
    reader = _READERS.get(suffix)
    if reader is None or (reader is _parquet and suffix != path.suffix.lower()):
        raise ValueError(f"{path.name}: a table of runs is a .csv, .tsv, .jsonl or .parquet file")
    return header.renamed(reader(path))


def with_ids(columns: dict[str, Sequence[Any]], path: Path, experiment: str) -> dict[str, Sequence[Any]]:
    """The table with ids and start times where it has none: the same for the same file and experiment each time.

    So an import that broke off can be repeated. Starts are then when the file was last changed.
    """
    found, count = dict(columns), len(next(iter(columns.values()), ()))
    names = {name.removeprefix("attributes.") for name in columns}
    if "start_time" not in names:
        found["start_time"] = [datetime.fromtimestamp(path.stat().st_mtime, UTC)] * count
    if names.isdisjoint(("run_id", "id")):
        digest = blake2b(experiment.encode(), digest_size=8)
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        found["run_id"] = [f"{digest.hexdigest()}:{row}" for row in range(1, count + 1)]
    return found


def _json_lines(path: Path) -> dict[str, Sequence[Any]]:
    """One object a line; `params`, `metrics` and `tags` may be objects in it."""
    columns: dict[str, list[Any]] = {}
    count = 0
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            line = line.removeprefix(codecs.BOM_UTF8).strip()
            if not line:
                continue
            try:
                row = json.loads(line)
            except UnicodeDecodeError:
                raise ValueError(f"{path.name}:{number}: it is not UTF-8; save it as UTF-8") from None
            except ValueError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from None
            except RecursionError:
                raise ValueError(f"{path.name}:{number}: it is nested too deep") from None
            if not isinstance(row, dict):
                raise ValueError(f'{path.name}:{number}: a run is an object, such as {{"metrics": {{"loss": 1.5}}}}')
            try:
                cells = _flat(row)
            except ValueError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from None
            for name, value in cells.items():
                column = columns.setdefault(name, [])
                column += [None] * (count - len(column))
                column.append(value)
            count += 1
    return {name: column + [None] * (count - len(column)) for name, column in columns.items()}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Columns of one object: what is nested has the separators that Run.log and Run.log_params give it."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in _GROUPS and isinstance(value, dict):
            for key, leaf in leaves(value, _GROUPS[name], limits.METRICS_PER_RUN, nested=name != "tags"):
                if isinstance(leaf, Unusable):
                    raise ValueError(f"{name}.{key}: {leaf}")
                found[f"{name}.{key}"] = leaf
        else:
            found[name] = value
    return found


def _parquet(path: Path) -> dict[str, Sequence[Any]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise ValueError("reading Parquet needs pyarrow: pip install 'fleetlog[arrow]'") from None
    try:
        return columns_of(parquet.read_table(path))
    except (ValueError, OSError, NotImplementedError) as error:
        raise ValueError(f"{path.name} is no Parquet file that can be read: {error}") from None


_READERS: dict[str, Callable[[Path], dict[str, Sequence[Any]]]] = {
    ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet,
}  # fmt: skip
