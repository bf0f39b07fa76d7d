from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fleetlog_core.rates.limiter import Limiter
from fleetlog_core.rates.limits import Limits, Quotas, ServerLimits
from fleetlog_deploy.settings.limits import SettingsFile, keep_limits, server_limits
from fleetlog_deploy.settings.load import load
from fleetlog_deploy.settings.model import LimitsSettings


def test_by_default_there_are_none() -> None:
    assert server_limits(LimitsSettings()) == ServerLimits()
    assert Limits() == Limits(0, 0, 0, 0, 0, 0, 0)


def test_each_setting_is_a_limit_of_a_caller_or_of_a_namespace(tmp_path: Path) -> None:
    file = tmp_path / "fleetlog.toml"
    file.write_text(
        "[limits]\npoints_per_second = 1e6\nwatches = 7\nnamespace_points_per_second = 5e6\n"
        "namespace_stored_runs = 12\nnamespace_artifact_bytes = 5000000000\n"
    )
    found = server_limits(load(file, {}).settings.limits)
    assert found.caller == Limits(points_per_second=1e6, watches=7)
    assert found.namespace == Limits(points_per_second=5e6)
    assert found.quotas == Quotas(runs=12, artifact_bytes=5_000_000_000)


def test_a_file_that_changes_is_read_again_and_one_that_is_no_good_is_told_of_once_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fleetlog.toml"
    path.write_text("[limits]\nstreams = 1\n")
    file = SettingsFile(lambda: load(path, {}).settings, path)
    assert file.changed() is None
    for text, streams in (("[limits]\nstreams = 20\n", 20), ("[limits]\nstreams = -1\n", None), ("[limits]\n", 0)):
        replaced = tmp_path / "new"
        replaced.write_text(text)
        replaced.replace(path)
        changed = file.changed()
        assert (None if changed is None else changed.limits.streams) == streams
        assert file.changed() is None
    assert [record.getMessage() for record in caplog.records] == [
        f"the limits that were there before hold: limits.streams = -1 ({path}): it must be 0 to 1,000,000"
    ]
    path.unlink()
    assert file.changed() is None
    assert SettingsFile.of(None, {}).changed() is None


class Told(Limiter):
    """Says when it was told of limits that name some."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()

    def change(self, limits: ServerLimits) -> None:
        super().change(limits)
        if limits.caller.streams:
            self.changed.set()


def test_limits_in_the_file_hold_in_a_server_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "fleetlog.toml"
    path.write_text("")

    async def scenario() -> int:
        limiter = Told()
        keeping = asyncio.create_task(keep_limits(limiter, SettingsFile.of(path, {}), look_seconds=0.01))
        path.write_text("[limits]\nstreams = 7\n")
        async with asyncio.timeout(60):
            await limiter.changed.wait()
        keeping.cancel()
        return limiter.limits.caller.streams

    assert asyncio.run(scenario()) == 7
