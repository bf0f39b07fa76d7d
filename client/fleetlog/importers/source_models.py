"""What a source tells of models, where it has any: logged models, and registered ones with their versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from fleetlog.importers.source import SourceFile


@dataclass(frozen=True, slots=True)
class SourceLoggedModel:
    """A model that was logged, with files of its own."""

    id: str
    experiment: str
    name: str = ""
    run: str | None = None
    """Id in the source of the run that made it."""
    model_type: str = ""
    status: str = "READY"
    """PENDING, READY or FAILED."""
    status_message: str = ""
    create_time: int | None = None
    deleted: bool = False
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Callable[[], Iterator[SourceFile]] = lambda: iter(())


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """A version of a registered model."""

    number: int
    source: str = ""
    """URI of its files."""
    run: str | None = None
    """Id in the source of the run that it was made of."""
    run_link: str = ""
    logged_model: str = ""
    stage: str = "None"
    """None, Staging, Production or Archived."""
    description: str = ""
    user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    comments: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A registered model."""

    name: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    versions: Sequence[SourceVersion] = ()


@runtime_checkable
class ModelSource(Protocol):
    """A source that has models; read after its runs."""

    def logged_models(self) -> Iterator[SourceLoggedModel]:
        """Logged models."""
        ...

    def registered_models(self) -> Iterator[SourceModel]:
        """Registered models, with all their versions by number."""
        ...
