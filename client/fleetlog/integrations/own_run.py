"""The run that a callback logs to: one that it was given, or one that it starts when something comes."""

from __future__ import annotations

from typing import Any

from fleetlog import EndState, Run, start_run


class OwnRun:
    """A run, and whether it is the callback's to end.

    One that was started here ends with `close`, or with its process: FINISHED, FAILED or KILLED by how that ends.
    """

    def __init__(self, run: Run | None, experiment: str | None, name: str | None, arguments: dict[str, Any]) -> None:
        self._given = run
        self._own: Run | None = None
        self._arguments = {"experiment": experiment, "name": name, **arguments}

    @property
    def run(self) -> Run:
        """The run; it is started now when there is none."""
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = start_run(**self._arguments)
        return self._own

    @property
    def has_run(self) -> bool:
        """True if there is a run by now."""
        return self._given is not None or self._own is not None

    def close(self, state: EndState = "FINISHED") -> None:
        """End the run that was started here; what comes later starts another one."""
        own, self._own = self._own, None
        if own is not None:
            own.finish(state)
