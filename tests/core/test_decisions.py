from fleetlog_core.decisions import Decision, Decisions


def decision(request_id: bytes, namespace: str = "ns") -> Decision:
    return Decision(namespace, request_id, 7, True, 0, "", "", 1, "3/1")


def test_who_waits_for_a_decision_is_told_and_nobody_else() -> None:
    decisions = Decisions()
    with decisions.expect("ns", b"a") as one, decisions.expect("ns", b"a") as again:
        with decisions.expect("ns", b"b") as other, decisions.expect("other", b"a") as elsewhere:
            decisions.tell(decision(b"a"))
        assert one.told == again.told == decision(b"a")
        assert other.told is None
        assert elsewhere.told is None


def test_a_decision_is_not_kept_for_who_comes_later() -> None:
    decisions = Decisions()
    decisions.tell(decision(b"a"))
    with decisions.expect("ns", b"a") as first:
        assert first.told is None
    decisions.tell(decision(b"a"))
    with decisions.expect("ns", b"a") as second:
        assert second.told is None
