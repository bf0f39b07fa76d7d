"""Reads and changes from outside a run. Reads see everything that this process wrote before, without asking.

What can be asked stands in fleetlog._calls, a file for each noun.
"""

from __future__ import annotations

from fleetlog._calls.facets import FacetCalls
from fleetlog._calls.imports import ImportCalls
from fleetlog._calls.model_changes import ModelChangeCalls
from fleetlog._calls.searches import SearchCalls
from fleetlog._delivery.registry import flush


class Client(SearchCalls, ModelChangeCalls, FacetCalls, ImportCalls):
    """A server's runs in one namespace. Cheap to make; one process shares one connection to each server."""

    def flush(self, timeout: float = 30.0, level: str = "durable") -> None:
        """Wait until everything this process logged is durable, or (level "applied") can be read."""
        flush(self.target, timeout, level)
