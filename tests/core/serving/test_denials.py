"""Calls that were denied: counted, the last ones kept, and told to those who may know."""

from __future__ import annotations

import pytest
from fleetlog_core.auth.identity import NOBODY, Grant, Identity
from fleetlog_core.errors import PermissionDenied
from fleetlog_core.serving.denials import KEPT, OTHERS, PRINCIPALS, Denials
from fleetlog_core.serving.telemetry import Telemetry

METHOD = "/fleetlog.v1.QueryService/GetRun"


def who(name: str, *roles: str) -> Identity:
    return Identity(name, tuple(map(Grant.of, roles)), token_name=f"{name}-token")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def denials(telemetry: Telemetry) -> Denials:
    return Denials(telemetry.denied, clock=lambda: 12.5)


def counted(telemetry: Telemetry, principal: str, reason: str) -> float:
    return telemetry.registry.get_sample_value(
        "fleetlog_denied_total", {"principal": principal, "reason": reason}
    ) or 0.0  # fmt: skip


def test_a_denial_is_counted_by_principal_and_reason_and_told_with_its_time(
    denials: Denials, telemetry: Telemetry
) -> None:
    denials.note(who("ann"), METHOD, "ROLE_MISSING", "vision")
    denials.note(who("ann"), METHOD, "ROLE_MISSING", "vision")
    (last, first) = denials.answer(who("root", "admin@*")).denials
    assert (last.principal, last.token_name, last.reason, last.namespace) == (
        "ann",
        "ann-token",
        "ROLE_MISSING",
        "vision",
    )
    assert (last.time_millis, last.method, last.number, first.number) == (12_500, METHOD[1:], 2, 1)
    assert last.server == first.server != ""
    assert counted(telemetry, "ann", "ROLE_MISSING") == 2


def test_an_admin_of_a_namespace_sees_what_was_denied_there_alone(denials: Denials) -> None:
    for namespace in ("vision", "speech", ""):
        denials.note(who("ann"), METHOD, "ROLE_MISSING", namespace)
    admin = who("bob", "admin@vision", "reader@speech")
    assert [one.namespace for one in denials.answer(admin).denials] == ["vision"]
    assert [one.namespace for one in denials.answer(NOBODY).denials] == ["", "speech", "vision"]
    with pytest.raises(PermissionDenied, match="admin"):
        denials.answer(who("eve", "writer@vision"))


def test_floods_take_no_more_memory(denials: Denials, telemetry: Telemetry) -> None:
    for number in range(PRINCIPALS + KEPT):
        denials.note(who(f"p{number}"), METHOD, "ROLE_MISSING", "vision")
    assert len(denials.answer(NOBODY).denials) == KEPT
    assert counted(telemetry, OTHERS, "ROLE_MISSING") == KEPT
