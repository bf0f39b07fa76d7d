"""NVIDIA's GPUs: by nvidia-ml-py where that is installed and finds the driver; else there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from fleetlog._delivery.diagnostics import diagnostics

_MB = 1e6


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device, as it stands in the machine."""

    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class GpuSample:
    """Values of one device at a moment, by the names of their metrics."""

    number: int
    values: Mapping[str, float]


class Gpus:
    """The devices of this machine. `find` opens the driver; a library that is not there is looked for once."""

    def __init__(self, module: str = "pynvml") -> None:
        self._module = module
        self._library: ModuleType | None = None
        self._handles: list[Any] | None = None

    def devices(self) -> list[Gpu]:
        """Names and memory."""
        library, handles = self._found()
        if library is None:
            return []
        return [
            Gpu(_text(library.nvmlDeviceGetName(one)), int(library.nvmlDeviceGetMemoryInfo(one).total))
            for one in handles
        ]

    def samples(self) -> list[GpuSample]:
        """Values now; what a device does not tell is left out."""
        library, handles = self._found()
        if library is None:
            return []
        return [GpuSample(number, _values(library, handle)) for number, handle in enumerate(handles)]

    def _found(self) -> tuple[ModuleType | None, list[Any]]:
        if self._handles is None:
            self._handles = []
            try:
                library = import_module(self._module)
                library.nvmlInit()
                count = library.nvmlDeviceGetCount()
                self._handles = [library.nvmlDeviceGetHandleByIndex(number) for number in range(count)]
                self._library = library
            except Exception as error:  # no library, no driver, no right to ask: there is no GPU to be seen
                diagnostics.debug("no GPUs are recorded: %r", error)
        return self._library, self._handles


def _values(library: ModuleType, handle: Any) -> dict[str, float]:
    found: dict[str, float] = {}

    def ask(read: Callable[[], Mapping[str, float]]) -> None:
        try:
            found.update(read())
        except library.NVMLError as error:
            diagnostics.debug("a GPU does not tell: %r", error)

    def memory() -> Mapping[str, float]:
        one = library.nvmlDeviceGetMemoryInfo(handle)
        return {
            "memory_usage_megabytes": one.used / _MB,
            "memory_usage_percentage": 100.0 * one.used / one.total,
        }

    def power() -> Mapping[str, float]:
        watts = library.nvmlDeviceGetPowerUsage(handle) / 1000
        limit = library.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
        return {"power_usage_watts": watts, **({"power_usage_percentage": 100.0 * watts / limit} if limit else {})}

    ask(memory)
    ask(lambda: {"utilization_percentage": float(library.nvmlDeviceGetUtilizationRates(handle).gpu)})
    ask(power)
    ask(lambda: {"temperature_celsius": float(library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU))})
    return found


def _text(name: object) -> str:
    """Older versions of the library give bytes."""
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
