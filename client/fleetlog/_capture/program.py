"""What is being run: the script or notebook, its command line and folder."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetlog._capture.masking import masked, masked_arguments

SCRIPT_BYTES = 900_000
"""A larger script or notebook is named, and not kept."""
COMMAND_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Program:
    """What this process runs."""

    path: Path | None
    """The script or notebook; None when there is none, as at a prompt."""
    is_notebook: bool
    command: tuple[str, ...]
    """Without what looks like a secret."""
    folder: str
    """Current directory; empty when it is gone."""

    @property
    def command_line(self) -> str:
        """The command on one line."""
        line = " ".join(self.command)
        return line if len(line) <= COMMAND_CHARACTERS else line[:COMMAND_CHARACTERS] + " …"

    @property
    def repository_folder(self) -> str:
        """Where to look for the repository that the code is of: beside the script, else here."""
        return self.folder if self.path is None else str(self.path.parent)

    def source(self) -> bytes | None:
        """The text of the script or notebook, without secrets of known shapes; None when it is not to be kept."""
        if self.path is None:
            return None
        try:
            with self.path.open("rb") as file:
                content = file.read(SCRIPT_BYTES + 1)
        except OSError:
            return None
        if len(content) > SCRIPT_BYTES or b"\0" in content:
            return None
        return masked(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def program(environment: Mapping[str, str] = os.environ) -> Program:
    """Returns what this process runs."""
    try:
        folder = str(Path.cwd())
    except OSError:
        folder = ""
    main = vars(sys.modules["__main__"]) if "__main__" in sys.modules else {}
    notebook = _notebook(main.get("__vsc_ipynb_file__") or environment.get("JPY_SESSION_NAME"))
    if notebook is not None:
        return Program(notebook, True, tuple(masked_arguments(sys.argv)), folder)
    script = main.get("__file__")
    path = Path(folder, script) if isinstance(script, str) and script else None
    if path is not None and (_is_installed(path) or not path.is_file()):
        path = None
    return Program(path, False, tuple(masked_arguments(sys.argv)), folder)


def _notebook(name: object) -> Path | None:
    """The file of a notebook; None when the name is of none that is here."""
    if not isinstance(name, str) or not name.endswith(".ipynb"):
        return None
    path = Path(name).absolute()
    return path if path.is_file() else None


def _is_installed(path: Path) -> bool:
    """True if the file came with Python or a package: a launcher's, or a kernel's."""
    found = path.absolute()
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    return any(found.is_relative_to(folder) for folder in folders if folder)
