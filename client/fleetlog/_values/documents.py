"""Texts, dicts and tables as the bytes of a file, in the form that the file's suffix names."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from fleetlog._values.values import Unusable, display, foreign, text

DICT_INVALID = "DICT_INVALID"
TABLE_INVALID = "TABLE_INVALID"
_YAML = (".yaml", ".yml")


def text_bytes(value: object) -> bytes:
    """UTF-8 of a text, with half surrogates escaped. Unusable: TEXT_INVALID."""
    return text(value).encode()


def dict_bytes(value: object, name: str) -> bytes:
    """JSON of a dict or list; YAML when the name ends in .yaml or .yml. Unusable: DICT_INVALID.

    What JSON has no word for becomes its text; numbers and arrays of numpy and its kin become numbers and lists.
    """
    with foreign(DICT_INVALID):
        if isinstance(value, (str, bytes)) or not isinstance(value, (Mapping, Sequence)):
            raise TypeError(f"{display(value)} is no dict or list")
        # By way of JSON, so that YAML holds the same plain values.
        said = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
        if _suffix(name) in _YAML:
            yaml: Any = _imported("yaml", "pyyaml")
            said = yaml.safe_dump(json.loads(said), sort_keys=False, allow_unicode=True, default_flow_style=False)
        return text_bytes(said)


def table_bytes(value: object, name: str) -> bytes:
    """A dict of columns or a data frame: JSON as {"columns": […], "data": [row, …]}, CSV or Parquet by the suffix.

    Unusable: TABLE_INVALID.
    """
    with foreign(TABLE_INVALID):
        suffix = _suffix(name)
        if suffix not in (".json", ".csv", ".parquet"):
            raise ValueError(f"a table is .json, .csv or .parquet, and not {display(name)}")
        columns = _columns(value)
        if suffix == ".parquet":
            return _parquet(columns)
        rows = list(zip(*columns.values(), strict=True))
        if suffix == ".json":
            # JSON has no NaN and no infinity; readers of tables take null.
            rows = [tuple(None if _is_no_number(one) else one for one in row) for row in rows]
            said = json.dumps({"columns": list(columns), "data": rows}, ensure_ascii=False, default=_plain)
            return text_bytes(said)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return text_bytes(out.getvalue())


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _columns(value: Any) -> dict[str, list[Any]]:
    """Columns by name, all of one length; a dict of single values is one row."""
    if isinstance(value, Mapping):
        found = {text(key): column for key, column in value.items()}
        if found and not any(_is_column(column) for column in found.values()):
            found = {key: [one] for key, one in found.items()}
    elif hasattr(value, "column_names"):
        found = {text(key): value.column(key) for key in value.column_names}
    elif hasattr(value, "columns") and hasattr(value, "__getitem__"):
        found = {text(key): value[key] for key in value.columns}
    else:
        raise TypeError(f"{display(value)} is no dict of columns and no data frame")
    lists = {key: _list(column) for key, column in found.items()}
    if len({len(column) for column in lists.values()}) > 1:
        raise ValueError("its columns are not of one length")
    return lists


def _is_column(value: object) -> bool:
    return not isinstance(value, (str, bytes, Mapping)) and hasattr(value, "__len__")


def _list(column: Any) -> list[Any]:
    for name in ("to_pylist", "to_list", "tolist"):
        if callable(convert := getattr(column, name, None)):
            return list(convert())
    if not _is_column(column):
        raise TypeError(f"{display(column)} is no column")
    return list(column)


def _parquet(columns: Mapping[str, list[Any]]) -> bytes:
    pyarrow, parquet = _imported("pyarrow", "fleetlog[arrow]"), _imported("pyarrow.parquet", "fleetlog[arrow]")
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(dict(columns)), out)
    return out.getvalue()


def _plain(value: Any) -> object:
    """What JSON can say of a value that it has no word for."""
    if callable(convert := getattr(value, "tolist", None)):
        return convert()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return text(value)


def _imported(module: str, package: str) -> Any:
    """A module that only some need. Unusable: PACKAGE_MISSING."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise Unusable("PACKAGE_MISSING", f"{module} is not installed: pip install '{package}'") from None
