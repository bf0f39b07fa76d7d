"""URIs of the plugin. Pure.

fleetlog://host:port/namespace?wait=handed   a tracking URI; fleetlogs:// with TLS
fleetlog://host:port/namespace?artifacts=s3://bucket/mlflow   one whose files are kept elsewhere
fleetlog-artifacts:/experiment/run/artifacts files of a run, on the server of the tracking URI
fleetlog-artifacts:/experiment/models/model/artifacts  files of a logged model, likewise
fleetlogs-artifacts://host:port/namespace   files of a server with TLS
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import parse_qs, urlsplit

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.rules.names import check_namespace

SCHEME, TLS_SCHEME = "fleetlog", "fleetlogs"
ARTIFACT_SCHEME, TLS_ARTIFACT_SCHEME = "fleetlog-artifacts", "fleetlogs-artifacts"
FOLDER = "artifacts"
"""Last part of a run's artifact URI."""
MODELS_FOLDER = "models"
"""Where logged models are below their experiment."""
Wait = Literal["handed", "durable", "applied"]
_WAITS = ("handed", "durable", "applied")


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace of a server. `target` None: $FLEETLOG_TARGET, or the default."""

    target: str | None
    namespace: str
    wait: Wait | None = None
    """What a write waits for; None: the store decides."""
    artifacts: str | None = None
    """URI below which files are kept, of experiments that have no place of their own; None: on the server."""


def place_of(uri: str | None) -> Place:
    """Returns the place of a tracking URI. InvalidArgument INVALID_URI, INVALID_NAMESPACE."""
    parts = urlsplit(uri or f"{SCHEME}://")
    if parts.scheme not in (SCHEME, TLS_SCHEME):
        raise _invalid(uri, f"begins with {shown(parts.scheme)}")
    path = parts.path.strip("/")
    if "/" in path:
        raise _invalid(uri, "names more than one namespace")
    said = parse_qs(parts.query, keep_blank_values=True)
    wait, artifacts = said.pop("wait", [None])[-1], said.pop("artifacts", [None])[-1]
    if said:
        raise _invalid(uri, f"has {shown(next(iter(said)))}, which is no option")
    if wait is not None and wait not in _WAITS:
        raise _invalid(uri, f"has wait={shown(wait)}, which is none of {', '.join(_WAITS)}")
    if artifacts == "":
        raise _invalid(uri, "has artifacts=, and no URI behind it")
    target = _target(parts.netloc, with_tls=parts.scheme == TLS_SCHEME)
    return Place(target, check_namespace(path), cast("Wait | None", wait), artifacts)


def _target(netloc: str, *, with_tls: bool) -> str | None:
    if not netloc:
        return None
    return f"{TLS_SCHEME}://{netloc}" if with_tls else netloc


@dataclass(frozen=True, slots=True)
class ArtifactRoot:
    """What an artifact URI names. `place` None: that of the tracking URI. `parts`: experiment, run, FOLDER and what
    is below, as far as the URI says them."""

    place: Place | None
    parts: tuple[str, ...]

    def owner(self, path: str) -> tuple[str, str]:
        """Returns the id of the run, or of the logged model with its prefix, and the path within its artifacts
        ("" = all). InvalidArgument INVALID_URI."""
        names = (*self.parts, *(name for name in path.split("/") if name))
        if names[1:2] == (MODELS_FOLDER,):
            names = (*names[:1], *names[2:])
        if len(names) < 3 or names[2] != FOLDER:
            raise _invalid("/".join(names), f"is not experiment/run/{FOLDER}")
        return names[1], "/".join(names[3:])


def artifact_root(uri: str) -> ArtifactRoot:
    """Returns what a fleetlog-artifacts URI names: /experiment/run/artifacts of the tracking URI's server, or, with a
    host, //host:port/namespace, below which are those of all its experiments. InvalidArgument."""
    parts = urlsplit(uri)
    if parts.scheme not in (ARTIFACT_SCHEME, TLS_ARTIFACT_SCHEME):
        raise _invalid(uri, f"begins with {shown(parts.scheme)}")
    names = tuple(name for name in parts.path.split("/") if name)
    if not parts.netloc:
        return ArtifactRoot(None, names)
    target = _target(parts.netloc, with_tls=parts.scheme == TLS_ARTIFACT_SCHEME)
    return ArtifactRoot(Place(target, check_namespace(names[0] if names else "")), names[1:])


def _invalid(uri: str | None, what: str) -> InvalidArgument:
    return InvalidArgument.of_field(
        "INVALID_URI", "uri", f"{shown(uri or '')} {what}; give {SCHEME}://host:port/namespace"
    )
