"""Ids of logged models, and where files are that a source names by a run or a logged model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

MODEL_ID = re.compile(r"m-([0-9a-f]{32})")
ARTIFACTS = "fleetlog-artifacts:"


def model_id_of(source: str) -> bytes:
    """Returns the id of a logged model: the source's, or one of a hash of it, the same each time."""
    found = MODEL_ID.fullmatch(source)
    return blake2b(source.encode(), digest_size=16).digest() if found is None else bytes.fromhex(found[1])


def here(uri: str, run: str | None, ids: Mapping[str, bytes], experiments: Mapping[str, int]) -> tuple[str, str]:
    """Returns a URI of files as it is here, and the path among those of the run; the URI itself when it is elsewhere.

    `ids` and `experiments`: the ids of runs of the source here, and the numbers of their experiments.
    """
    if run is None or run not in ids:
        return uri, ""
    rest = None
    if uri.startswith(f"runs:/{run}/"):
        rest = uri.removeprefix(f"runs:/{run}/")
    elif (place := uri.find(f"/{run}/artifacts")) >= 0:
        rest = uri[place + len(f"/{run}/artifacts") :]
    if rest is None:
        return uri, ""
    path = rest.strip("/")
    folder = f"{ARTIFACTS}/{experiments.get(run, 0)}/{ids[run].hex()}/artifacts"
    return (f"{folder}/{path}" if path else folder), path
