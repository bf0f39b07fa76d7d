"""Metrics of the machine: what the counters say, by the names that MLflow has."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest
from fleetlog._capture.gpus import Gpu, Gpus, GpuSample
from fleetlog._capture.system_counters import Counters, of_psutil, read_counters
from fleetlog._capture.system_metrics import system_metrics

START = Counters(
    at_seconds=100.0, process_cpu_seconds=1.0, process_bytes=50_000_000, threads=4, cpu_busy_seconds=10.0,
    cpu_seconds=100.0, memory_bytes=1_000_000_000, available_bytes=250_000_000, received_bytes=0, sent_bytes=0,
    read_bytes=5_000_000, written_bytes=0, disk_bytes=2_000_000_000, disk_free_bytes=500_000_000,
)  # fmt: skip
LATER = replace(
    START, at_seconds=120.0, process_cpu_seconds=11.0, cpu_busy_seconds=20.0, cpu_seconds=140.0,
    received_bytes=3_000_000, read_bytes=7_000_000,
)  # fmt: skip
BEFORE = replace(START, at_seconds=110.0, received_bytes=1_000_000, cpu_busy_seconds=15.0, cpu_seconds=120.0)


def test_utilization_is_since_the_look_before_and_traffic_since_the_start() -> None:
    found = system_metrics(START, BEFORE, LATER, [GpuSample(0, {"utilization_percentage": 97.0})])
    assert found == {
        "system/cpu_utilization_percentage": 25.0,
        "system/system_memory_usage_megabytes": 750.0,
        "system/system_memory_usage_percentage": 75.0,
        "system/disk_usage_megabytes": 1_500.0,
        "system/disk_usage_percentage": 75.0,
        "system/disk_available_megabytes": 500.0,
        "system/network_receive_megabytes": 3.0,
        "system/network_transmit_megabytes": 0.0,
        "system/disk_read_megabytes": 2.0,
        "system/disk_write_megabytes": 0.0,
        "system/process_cpu_utilization_percentage": 100.0,
        "system/process_memory_megabytes": 50.0,
        "system/process_threads": 4,
        "system/gpu_0_utilization_percentage": 97.0,
    }


def test_what_the_system_does_not_tell_is_left_out() -> None:
    found = system_metrics(Counters(0.0, 0.0), Counters(0.0, 0.0), Counters(10.0, 5.0))
    assert found == {"system/process_cpu_utilization_percentage": 50.0}


def test_a_counter_that_went_back_and_no_time_at_all_give_nothing() -> None:
    assert "system/network_receive_megabytes" not in system_metrics(LATER, LATER, replace(START, at_seconds=130.0))
    assert system_metrics(START, START, START) == {}


def test_counters_of_this_machine_are_plausible() -> None:
    first, second = read_counters(), read_counters()
    assert second.at_seconds >= first.at_seconds
    assert second.process_cpu_seconds >= first.process_cpu_seconds
    assert second.disk_bytes
    if Path("/proc/stat").exists():
        assert second.memory_bytes
        assert second.available_bytes
        assert 0 < second.available_bytes < second.memory_bytes
        assert second.threads
        assert second.process_bytes
        assert second.process_bytes > 1_000_000
        assert abs(second.memory_bytes - psutil.virtual_memory().total) < second.memory_bytes / 10


def test_psutil_tells_the_same_kinds_of_numbers() -> None:
    by_psutil = of_psutil(psutil, time.monotonic(), 1.0, 10, 5)
    ours = read_counters()
    assert by_psutil.memory_bytes
    assert by_psutil.process_bytes
    assert by_psutil.cpu_seconds
    assert by_psutil.cpu_busy_seconds
    assert by_psutil.cpu_busy_seconds < by_psutil.cpu_seconds
    if ours.cpu_seconds is not None:
        assert by_psutil.cpu_seconds == pytest.approx(ours.cpu_seconds, rel=0.05)
        assert ours.received_bytes is not None
        assert by_psutil.received_bytes is not None
        assert by_psutil.received_bytes <= ours.received_bytes


class NVMLError(Exception):
    pass


def _denied(*_: Any) -> Any:
    raise NVMLError("Not Supported")


def nvml(**other: Any) -> ModuleType:
    """The calls of nvidia-ml-py that its documentation tells of. No machine of the tests has a GPU."""
    library = ModuleType("nvml_of_test")
    calls: dict[str, Any] = {
        "NVMLError": NVMLError,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetName": lambda handle: b"H100" if handle else "H100",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=80_000_000_000, used=20_000_000_000),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=50 + handle, memory=10),
        "nvmlDeviceGetPowerUsage": lambda handle: 350_000,
        "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700_000,
        "nvmlDeviceGetTemperature": lambda handle, kind: 61,
    }
    vars(library).update(calls | other)
    return library


def test_gpus_are_told_as_their_driver_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvml_of_test", nvml())
    gpus = Gpus("nvml_of_test")
    assert gpus.devices() == [Gpu("H100", 80_000_000_000)] * 2
    assert [(one.number, one.values) for one in gpus.samples()] == [
        (
            number,
            {
                "memory_usage_megabytes": 20_000.0, "memory_usage_percentage": 25.0,
                "utilization_percentage": 50.0 + number, "power_usage_watts": 350.0, "power_usage_percentage": 50.0,
                "temperature_celsius": 61.0,
            },
        )
        for number in range(2)
    ]  # fmt: skip


def test_what_a_gpu_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "nvml_of_test", nvml(nvmlDeviceGetPowerUsage=_denied, nvmlDeviceGetUtilizationRates=_denied)
    )
    assert set(Gpus("nvml_of_test").samples()[0].values) == {
        "memory_usage_megabytes", "memory_usage_percentage", "temperature_celsius",
    }  # fmt: skip


@pytest.mark.parametrize("there", [False, True], ids=["no library", "no driver"])
def test_without_library_or_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    if there:
        monkeypatch.setitem(sys.modules, "nvml_of_test", nvml(nvmlInit=_denied))
    gpus = Gpus("nvml_of_test")
    assert gpus.devices() == []
    assert gpus.samples() == []
