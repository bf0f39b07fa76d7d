"""Texts, dicts, tables, figures and images as the bytes of files."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest
import yaml
from fleetlog._values.documents import dict_bytes, table_bytes, text_bytes
from fleetlog._values.images import figure_bytes, image_bytes
from fleetlog._values.values import Unusable


def test_a_text_is_utf_8_whatever_is_in_it() -> None:
    assert text_bytes("étude\n") == "étude\n".encode()
    assert text_bytes("caf\udce9") == b"caf\\udce9"


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "deep/er/a.YML", "a"])
def test_a_dict_reads_back_as_it_was(name: str) -> None:
    said = {"layers": [64, 32], "none": None, "deep": {"é": "日本", "truth": True}, "lr": 1e-5}
    content = dict_bytes({**said, "scalar": np.float32(0.5), "array": np.arange(3), "odd": {1}}, name)
    read = yaml.safe_load(content) if name.lower().endswith(("yaml", "yml")) else json.loads(content)
    assert read == {**said, "scalar": 0.5, "array": [0, 1, 2], "odd": [1]}
    assert list(read) == [*said, "scalar", "array", "odd"]


@pytest.mark.parametrize("wrong", [None, 5, "text", b"x", {("a", "b"): 1}, object()])
def test_what_is_no_dict_is_refused(wrong: Any) -> None:
    with pytest.raises(Unusable) as error:
        dict_bytes(wrong, "a.json")
    assert error.value.reason == "DICT_INVALID"


COLUMNS = {"prompt": ["a", "b"], "score": [0.5, None]}
TABLES = [
    COLUMNS, {"prompt": ("a", "b"), "score": np.array([0.5, None], dtype=object)}, polars.DataFrame(COLUMNS),
    pyarrow.table(COLUMNS), pandas.DataFrame({"prompt": ["a", "b"], "score": pandas.Series([0.5, None], dtype=object)}),
]  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: type(table).__module__.partition(".")[0])
def test_a_table_is_the_same_file_from_every_kind_of_columns(table: Any) -> None:
    assert json.loads(table_bytes(table, "t.json")) == {
        "columns": ["prompt", "score"], "data": [["a", 0.5], ["b", None]]
    }  # fmt: skip
    assert table_bytes(table, "t.csv") == b"prompt,score\na,0.5\nb,\n"
    assert pyarrow.parquet.read_table(io.BytesIO(table_bytes(table, "t.parquet"))).to_pydict() == COLUMNS


def test_single_values_are_one_row() -> None:
    assert json.loads(table_bytes({"prompt": "a", "score": 1}, "t.json"))["data"] == [["a", 1]]
    assert json.loads(table_bytes({"score": [float("nan"), float("inf")]}, "t.json"))["data"] == [[None], [None]]


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"a": [1], "b": [1, 2]}, "t.json"), ({"a": [1], "b": 2}, "t.json"), (COLUMNS, "t.xls"), (5, "t.csv")],
)
def test_what_is_no_table_is_refused(wrong: Any, name: str) -> None:
    with pytest.raises(Unusable) as error:
        table_bytes(wrong, name)
    assert error.value.reason == "TABLE_INVALID"


def pixels_of(png: bytes) -> tuple[int, int, int, bytes]:
    """(width, height, colour type, rows without their filter bytes), as PNG has them."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    data, place = b"", 8
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        assert zlib.crc32(kind + body) == int.from_bytes(png[place + 8 + size : place + 12 + size], "big")
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8
        data += body if kind == b"IDAT" else b""
        place += 12 + size
    rows = zlib.decompress(data)
    stride = len(rows) // height
    return width, height, colour, b"".join(rows[first + 1 : first + stride] for first in range(0, len(rows), stride))


@pytest.mark.parametrize(
    ("image", "colour", "rows"),
    [
        ([[0, 255], [255, 0]], 0, [0, 255, 255, 0]),
        (np.array([[0.0, 1.0], [0.5, 7.0]]), 0, [0, 255, 128, 255]),
        (np.array([[float("nan"), -1.0]]), 0, [0, 0]),
        (np.array([[True, False]]), 0, [255, 0]),
        (np.array([[-5, 300]], dtype=np.int64), 0, [0, 255]),
        (np.full((1, 2, 1), 7, dtype=np.uint8), 0, [7, 7]),
        (np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8), 2, [1, 2, 3, 4, 5, 6]),
        (np.array([[[1, 2, 3, 4]]], dtype=np.uint8), 6, [1, 2, 3, 4]),
    ],
)
def test_an_array_becomes_png(image: Any, colour: int, rows: list[int]) -> None:
    width, height, found, data = pixels_of(image_bytes(image, "a.png"))
    shape = np.asarray(image).shape
    assert (height, width, found, list(data)) == (shape[0], shape[1], colour, rows)


class Drawn:
    """As an image of PIL, or a figure of matplotlib: it writes itself into a file."""

    def save(self, file: io.BytesIO, format: str) -> None:  # noqa: A002
        file.write(f"an image as {format}".encode())

    def savefig(self, file: io.BytesIO, format: str, dpi: int = 100) -> None:  # noqa: A002
        file.write(f"a figure as {format} of {dpi}".encode())


class Plotted:
    """As a figure of plotly."""

    def write_html(self, file: str) -> None:
        raise NotImplementedError

    def to_html(self, include_plotlyjs: str) -> str:
        return f"<html>{include_plotlyjs}</html>"

    def to_image(self, format: str) -> bytes:  # noqa: A002
        return format.encode()


def test_images_and_figures_write_themselves_in_the_form_of_the_suffix() -> None:
    assert image_bytes(Drawn(), "a.JPG") == b"an image as jpeg"
    assert image_bytes(Drawn(), "a") == b"an image as png"
    assert figure_bytes(Drawn(), "a.svg", {"dpi": 200}) == b"a figure as svg of 200"
    assert figure_bytes(Plotted(), "a.html", {}) == b"<html>cdn</html>"
    assert figure_bytes(Plotted(), "a.webp", {}) == b"webp"


@pytest.mark.parametrize("wrong", [None, 5, "x", np.zeros(3), np.zeros((2, 2, 2)), np.zeros((0, 3)), [["a"]]])
def test_what_is_no_image_is_refused(wrong: Any) -> None:
    with pytest.raises(Unusable) as error:
        image_bytes(wrong, "a.png")
    assert error.value.reason == "IMAGE_INVALID"
    with pytest.raises(Unusable):
        figure_bytes(wrong, "a.png", {})
