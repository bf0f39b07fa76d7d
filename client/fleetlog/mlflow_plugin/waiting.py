"""Logging that does not wait: everything is handed over in order anyway, so only whoever waits pays for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from mlflow.utils.async_logging.run_operations import RunOperations


class Delivered(Future[None]):
    """A future of what was handed over: its result waits until that is durable."""

    def __init__(self, flush: Callable[[], None]) -> None:
        super().__init__()
        self._flush = flush

    def result(self, timeout: float | None = None) -> None:
        """Wait until it is durable. MlflowException when it is not in time."""
        self._flush()
        if not self.done():
            self.set_result(None)


def operations(flush: Callable[[], None]) -> RunOperations:
    """Returns what MLflow's async calls answer with."""
    return RunOperations([Delivered(flush)])
