"""Makes the event files below tensorboard/, which the readers' tests read: a folder for each library and version.

    pip install tensorboardX==2.5.1 && python tests/data/importers/make_tensorboard.py      (and 2.6.5)
    pip install tensorboard==2.20.0 && python tests/data/importers/make_tensorboard.py

2.5.1 wants numpy < 2 and protobuf < 4, or PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python.
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "tensorboard"
RUNS = ("a/train", "a/validation", "b")
PARAMS = {"lr": 0.1, "batch": 64, "kind": "adam", "bias": True}
STEPS = 200
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Told = list[tuple[str, str, int, float]]


def numbers(run: str) -> Told:
    """Scalars of a run: steps that need one and two bytes, that come again and are below zero, and odd values."""
    told = [(run, "loss", step, 2.0 / (1 + step)) for step in range(STEPS)]
    told += [(run, "eval/accuracy", step * 1_000, step / 7) for step in range(20)]
    told += [(run, "odd", step, value) for step, value in [(0, float("nan")), (5, float("inf")), (5, -0.0), (-3, 1.5)]]
    return told


def told(library: str) -> Told:
    """Scalars that the library of that name was told."""
    found = [one for run in RUNS for one in numbers(run)]
    return [*found, ("b/trial", "best", 0, 0.5)] if library.startswith("tensorboardX") else found


def tensorboardx(module: Any, folder: Path) -> None:
    for run in RUNS:
        with module.SummaryWriter(str(folder / run)) as writer:
            for _, tag, step, value in numbers(run):
                writer.add_scalar(tag, value, step)
            if run == "b":
                summary = importlib.import_module("tensorboardX.proto.summary_pb2").Summary()
                value = summary.value.add(tag="pictures/one")
                value.image.width = value.image.height = 1
                value.image.encoded_image_string = PNG
                writer.file_writer.add_summary(summary, 7)
                writer.add_text("notes", "**first**", 0)
                writer.add_text("notes", "second", 1)
                writer.add_histogram("weights", [0.0, 1.0, 1.0, 5.0], 3)
                writer.add_histogram("weights", [2.0, 2.0], 4)
                writer.add_hparams(PARAMS, {"best": 0.5}, name="trial")


def tensorboard(folder: Path) -> None:
    writers = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    event_pb2 = importlib.import_module("tensorboard.compat.proto.event_pb2")
    plugins = {
        name: importlib.import_module(f"tensorboard.plugins.{name}.summary_v2")
        for name in ("scalar", "text", "histogram", "hparams")
    }
    for run in RUNS:
        (folder / run).mkdir(parents=True)
        writer = writers.EventFileWriter(str(folder / run))
        summaries = [(plugins["scalar"].scalar_pb(tag, value), step) for _, tag, step, value in numbers(run)]
        if run == "b":
            summaries += [
                (_image(), 7),
                (plugins["text"].text_pb("notes", "**first**"), 0),
                (plugins["text"].text_pb("notes", "second"), 1),
                (plugins["histogram"].histogram_pb("weights", [0.0, 1.0, 1.0, 5.0], buckets=4), 3),
                (plugins["histogram"].histogram_pb("weights", [2.0, 2.0], buckets=4), 4),
                (plugins["hparams"].hparams_pb(PARAMS, trial_id="trial", start_time_secs=1_699_999_990.0), 0),
            ]
        for number, (summary, step) in enumerate(summaries):
            writer.add_event(event_pb2.Event(wall_time=1_700_000_000.0 + number / 4, step=step, summary=summary))
        writer.close()


def _image() -> Any:
    summary_pb2 = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    tensor_util = importlib.import_module("tensorboard.util.tensor_util")
    metadata = importlib.import_module("tensorboard.plugins.image.metadata")
    summary = summary_pb2.Summary()
    summary.value.add(
        tag="pictures/one",
        metadata=metadata.create_summary_metadata("", "", converted_to_tensor=False),
        tensor=tensor_util.make_tensor_proto([b"1", b"1", PNG]),
    )
    return summary


def main() -> None:
    if importlib.util.find_spec("tensorboardX"):
        module = importlib.import_module("tensorboardX")
        folder = HERE / f"tensorboardX-{module.__version__}"
        shutil.rmtree(folder, ignore_errors=True)
        tensorboardx(module, folder)
    else:
        folder = HERE / f"tensorboard-{importlib.import_module('tensorboard.version').VERSION}"
        shutil.rmtree(folder, ignore_errors=True)
        tensorboard(folder)
    print(folder)


if __name__ == "__main__":
    main()
