from __future__ import annotations

from fleetlog_core.log.kafka.topics import found_topics

from tests.core.log.kafka.own_topics import remove_topics, settings_for
from tests.deploy.processes import fleetlog


def test_topics_are_made_once_and_kept_as_they_are(kafka_server: str) -> None:
    settings = settings_for(kafka_server)
    url = f"kafka://{kafka_server}/{settings.prefix}"
    create = ("topics", "create", url, "--replication", "1", "--partitions")
    try:
        (made,) = fleetlog((*create, "5"))
        assert (made.code, made.err) == (0, "")
        assert made.out == "".join(
            f"{settings.prefix}.{line}\n"
            for line in ("events\t5 partitions", "control\t1 partition", "dead-letters\t1 partition")
        )
        assert found_topics(settings).counts() == {"events": 5, "control": 1, "dead-letters": 1}
        again, other = fleetlog((*create, "5"), (*create, "6"))
        assert (again.code, again.out) == (0, made.out)
        assert (other.code, other.out) == (1, "")
        assert other.err.startswith(f"fleetlog: {settings.prefix}.events has 5 partitions, the settings say 6.")
        assert found_topics(settings).partitions == 5
    finally:
        remove_topics(settings)


def test_a_retention_that_ends_is_made_only_for_who_says_so(kafka_server: str) -> None:
    settings = settings_for(kafka_server)
    url = f"kafka://{kafka_server}/{settings.prefix}"
    create = ("topics", "create", url, "--replication", "1", "--partitions", "1", "--retention")
    try:
        unsaid, odd = fleetlog((*create, "90d"), (*create, "ever"))
        assert (unsaid.code, odd.code) == (2, 2)
        assert "90d loses events after that time: add --may-lose-events" in unsaid.err
        assert "retention 'ever': forever, or a time such as 12h, 90d or 52w" in odd.err
        (said,) = fleetlog((*create, "90d", "--may-lose-events"))
        assert said.code == 0, said.err
        # Who comes later and has not said so is told.
        (later,) = fleetlog((*create, "forever"))
        assert later.code == 1
        assert "would lose events: retention.ms is 7776000000, not -1" in later.err
    finally:
        remove_topics(settings)


def test_what_can_not_be_made_is_told_in_a_line(kafka_server: str) -> None:
    settings = settings_for(kafka_server)
    many, unnamed = fleetlog(
        ("topics", "create", f"kafka://{kafka_server}/{settings.prefix}", "--replication", "100"),
        ("topics", "create", "broker:9092"),
    )
    assert many.code == 1
    assert many.err.endswith(
        "can't have 100 replicas: the cluster has fewer brokers that run. Start more, or take a smaller replication\n"
    )
    assert unnamed.code == 2
    assert "'broker:9092' is no log: kafka://host:port" in unnamed.err
