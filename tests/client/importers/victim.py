"""An import that is killed: it tells of each batch that it sent. Arguments: the server, and a folder mlruns."""

from __future__ import annotations

import sys

import fleetlog
from fleetlog.importers import ImportWriter, open_source


def main(target: str, folder: str) -> None:
    """Import it."""
    source = open_source("mlflow", folder)
    writer = ImportWriter(
        fleetlog.Client(target), source, on_progress=lambda so_far: print(so_far.points, flush=True)
    )  # fmt: skip
    print("complete" if writer.run().is_complete else "not complete", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
