"""Hook of hatchling: a wheel has the web UI in it, built.

Without deno it is built without it, unless FLEETLOG_UI is "required": whoever installs the client alone from its
source needs no such tool. An editable install never has it: `make ui` builds it there, when somebody wants it.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EDITABLE = "editable"
REQUIRED = "required"


class WebBuildHook(BuildHookInterface):
    """Builds the web UI before its files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build. RuntimeError where that is required and not possible, CalledProcessError when the code is wrong."""
        if version == EDITABLE:
            return
        path = Path(self.root) / "web" / "build.py"
        spec = importlib.util.spec_from_file_location("fleetlog_web_build", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path} can't be read")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if module.find_deno() is None and os.environ.get("FLEETLOG_UI") != REQUIRED:
            self.app.display_warning("deno is missing, so the web UI is not in this build: pip install 'fleetlog[ui]'")
        elif module.main() != 0:
            raise RuntimeError("the web UI was not built; what is above says why")
