from __future__ import annotations

from fleetlog.importers import Report, Source, follow

from tests.client.importers.memory_source import MemorySource


def test_each_look_takes_what_changed_since_the_one_before_began() -> None:
    looks: list[int | None] = []
    clock, answers = iter([1_000_000, 2_000_000, 3_000_000]), iter([True, True, False])

    def bring(source: Source, since: int | None) -> Report:
        looks.append(since)
        return Report(runs=len(looks))

    reports = list(follow(lambda: MemorySource([]), bring, lambda: next(answers), lambda: next(clock), 7))
    assert [one.runs for one in reports] == [1, 2, 3]
    assert looks == [7, 880_000, 1_880_000]
