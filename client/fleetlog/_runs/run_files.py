"""The files of a run that is being written: from disk, or made of texts, dicts, tables, figures and images."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from fleetlog._runs.file_logging import FileLogger
from fleetlog._runs.guard import never_raises
from fleetlog._values.documents import dict_bytes, table_bytes, text_bytes
from fleetlog._values.images import IMAGE_INVALID, figure_bytes, image_bytes
from fleetlog._values.values import Unusable, display, step_number, text


class RunFiles(ABC):
    """Calls of Run that keep files. None of them raises."""

    @abstractmethod
    def _files(self) -> FileLogger:
        """Logger of the run's files."""

    @abstractmethod
    def _lost(self, what: str, error: Exception, points: int = 0) -> None:
        """Count what was not logged and warn of it. Must not raise."""

    @never_raises
    def log_artifact(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Keep a file. Files over 1 MiB are uploaded before this returns.

        What it has at the call is kept, also while it grows. When no server answers it is uploaded in the background as
        soon as one does, as it is then: leave it in place. Never raises: what can't be kept (a FIFO, a device, a file
        that is rewritten again and again) is warned about, and the run is told (ARTIFACT_NOT_KEPT).

        Args:
            path: The file on this machine.
            name: Relative path in the run, with forward slashes; None = the file's own name.

        Examples:
            >>> run.log_artifact("notes.txt", "notes/first.txt")

        """
        self._files().log(path, name)

    @never_raises
    def log_artifacts(self, folder: str | os.PathLike[str], prefix: str = "") -> None:
        """Keep every file below a folder, under its path there.

        Links to files of the folder are followed; those out of it, and those to folders, are not: they are warned about
        as everything that is not kept. After a minute the rest is uploaded in the background. Never raises.

        Args:
            folder: The folder on this machine.
            prefix: Path in the run that goes before each; "" = none.

        Examples:
            >>> run.log_artifacts("ckpt", "checkpoints/last")

        """
        self._files().log_tree(folder, prefix)

    @never_raises
    def log_text(self, text: str, artifact_file: str) -> None:
        """Keep a text as a file, in UTF-8. Never raises.

        Args:
            text: The text.
            artifact_file: Relative path in the run, such as "notes.md". Under the same path the last one stays.

        Examples:
            >>> run.log_text("the first good one", "notes.md")

        """
        self._files().log_content(artifact_file, text_bytes(text))

    @never_raises
    def log_dict(self, dictionary: Mapping[str, Any] | list[Any], artifact_file: str) -> None:
        """Keep a dict or a list as a JSON or YAML file. Never raises.

        Values that JSON has no word for become texts.

        Args:
            dictionary: What is kept, as it is now.
            artifact_file: Relative path in the run; YAML when it ends in .yaml or .yml (needs pyyaml), else JSON.

        Examples:
            >>> run.log_dict({"layers": [64, 32]}, "config.json")

        """
        name = text(artifact_file)
        self._files().log_content(name, dict_bytes(dictionary, name))

    @never_raises
    def log_figure(self, figure: Any, artifact_file: str, *, save_kwargs: Mapping[str, Any] | None = None) -> None:
        """Keep a figure of matplotlib or plotly. Never raises.

        Args:
            figure: The figure, as it is now. It is not closed.
            artifact_file: Relative path in the run; its suffix is the format: .png, .svg, .pdf, … and .html of plotly.
            save_kwargs: Arguments for matplotlib's `savefig`, or plotly's `to_html` or `to_image`.

        Examples:
            >>> run.log_figure(figure, "curves/loss.png", save_kwargs={"dpi": 200})  # doctest: +SKIP

        """
        name = text(artifact_file)
        self._files().log_content(name, figure_bytes(figure, name, save_kwargs or {}))

    @never_raises
    def log_image(
        self, image: Any, artifact_file: str | None = None, *, key: str | None = None, step: int | None = None
    ) -> None:
        """Keep an image: one of PIL, or an array of numpy, torch or others. Never raises.

        Args:
            image: Rows of pixels, of shape (height, width), or with 1 (grey), 3 (RGB) or 4 (RGBA) channels behind.
                Whole numbers are 0 to 255, floats 0 to 1; what is beyond is cut.
            artifact_file: Relative path in the run; .png, and with pillow any format of its suffixes.
            key: Name of a series of images, in place of artifact_file: kept as images/KEY/step_00000010.png.
            step: Step of the series; None = 0.

        Examples:
            >>> run.log_image([[0, 255], [255, 0]], "checker.png")
            >>> run.log_image([[0.0, 0.5], [0.5, 1.0]], key="samples", step=10)

        """
        if (artifact_file is None) == (key is None):
            raise Unusable(IMAGE_INVALID, "give one of artifact_file and key, for example artifact_file='sample.png'")
        if key is not None:
            name = f"images/{text(key)}/step_{0 if step is None else step_number(step):08d}.png"
        elif step is not None:
            raise Unusable(
                IMAGE_INVALID, f"step {display(step)} is of a series of images: give key instead of artifact_file"
            )
        else:
            name = text(artifact_file)
        self._files().log_content(name, image_bytes(image, name))

    @never_raises
    def log_table(self, data: Any, artifact_file: str) -> None:
        """Keep a table. Under the same path the last one stays. Never raises.

        Args:
            data: A dict of columns (of single values: one row), or a data frame of pandas, polars or Arrow.
            artifact_file: Relative path in the run: .json ({"columns": […], "data": [[…], …]}), .csv, or .parquet
                (needs pyarrow).

        Examples:
            >>> run.log_table({"prompt": ["a", "b"], "score": [0.5, 0.75]}, "eval.json")

        """
        name = text(artifact_file)
        self._files().log_content(name, table_bytes(data, name))
