"""Libraries that integrations are for: the real ones where they are small, else what their documentation promises."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

Stand = Callable[[str, Mapping[str, Mapping[str, Any]]], Any]


@contextmanager
def _standing_in(name: str, modules: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    """The integration of a name, imported over modules that have what is given and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        for path, words in modules.items():
            module = ModuleType(path)
            vars(module).update(words)
            patch.setitem(sys.modules, path, module)
        integration = f"fleetlog.integrations.{name}"
        sys.modules.pop(integration, None)
        yield importlib.import_module(integration)
        sys.modules.pop(integration, None)


@pytest.fixture
def over_stand_ins() -> Iterator[Stand]:
    """Imports an integration over stand-ins of its library, for the test."""
    open_ones: list[Any] = []

    def stand(name: str, modules: Mapping[str, Mapping[str, Any]]) -> Any:
        context = _standing_in(name, modules)
        open_ones.append(context)
        return context.__enter__()

    yield stand
    for context in reversed(open_ones):
        context.__exit__(None, None, None)
