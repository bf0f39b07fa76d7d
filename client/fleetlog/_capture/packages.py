"""The packages that this Python can import, as lines of a requirements file.

By the names of their folders: to read the metadata of some hundred packages takes a tenth of a second of Python's time.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleetlog._capture.masking import without_credentials

_DIST_INFO, _DIRECT_URL = ".dist-info", "direct_url.json"


def requirements(paths: Sequence[str] | None = None) -> str:
    """Returns a line for each package, sorted. Of two of the same name the first on the path counts, as for imports."""
    found: dict[str, str] = {}
    for folder in sys.path if paths is None else paths:
        try:
            names = sorted(os.listdir(folder or "."))  # noqa: PTH208
        except OSError:  # a zip file, or a folder that is not there
            continue
        for entry in names:
            stem = entry.removesuffix(_DIST_INFO)
            name, dash, version = stem.partition("-")
            if stem != entry and dash:
                found.setdefault(_normal(name), _line(name, version, Path(folder, entry, _DIRECT_URL)))
    return "".join(f"{found[name]}\n" for name in sorted(found))


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _line(name: str, version: str, direct_url: Path) -> str:
    """name==version; what was installed from elsewhere says where from, and what is editable is a comment."""
    origin = _origin(direct_url) if direct_url.exists() else {}
    url, versioned, folder = origin.get("url"), origin.get("vcs_info"), origin.get("dir_info")
    if not isinstance(url, str):
        return f"{name}=={version}"
    if isinstance(versioned, dict):
        commit = versioned.get("commit_id")
        return f"{name} @ {versioned.get('vcs', 'git')}+{without_credentials(url)}" + (f"@{commit}" if commit else "")
    how = "editable" if isinstance(folder, dict) and folder.get("editable") else "local"
    return f"{name}=={version}  # {how}, from {without_credentials(url)}"


def _origin(direct_url: Path) -> dict[str, Any]:
    try:
        found = json.loads(direct_url.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
