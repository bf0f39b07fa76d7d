from __future__ import annotations

from pathlib import Path

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


def test_the_settings_say_which_log_and_who_we_are_to_it(kafka_server: str, tmp_path: Path) -> None:
    settings, file = settings_for(kafka_server), tmp_path / "fleetlog.toml"
    url = f"kafka://{kafka_server}/{settings.prefix}"
    file.write_text(f'[log]\nurl = "{url}"\n[kafka]\nprotocol = "SASL_PLAINTEXT"\nmechanism = "PLAIN"\n')
    create = ("topics", "create", "--replication", "1", "--partitions", "1", "--config", file)
    try:
        (unnamed,) = fleetlog(create)
        assert unnamed.code == 2
        assert "SASL_PLAINTEXT needs mechanism, username and password" in unnamed.err
        file.write_text(f'[log]\nurl = "{url}"\n')
        (made,) = fleetlog(create)
        assert (made.code, made.err) == (0, "")
        assert made.out.startswith(f"{settings.prefix}.events\t1 partition\n")
        (wrong,) = fleetlog(create, environment={"FLEETLOG_KAFKA_PROTOCOL": "BOGUS"})
        assert wrong.code == 2
        assert wrong.err.startswith('fleetlog: kafka.protocol = "BOGUS" (FLEETLOG_KAFKA_PROTOCOL): it must be one of')
        (nowhere,) = fleetlog(("topics", "create"))
        assert nowhere.code == 2
        assert "no log is named" in nowhere.err
    finally:
        remove_topics(settings)


def test_a_copy_is_told_by_the_settings_too(kafka_server: str, tmp_path: Path) -> None:
    file = tmp_path / "fleetlog.toml"
    file.write_text('[kafka]\nprotocol = "SASL_PLAINTEXT"\nmechanism = "PLAIN"\n')
    redrive = ("log", "redrive", f"kafka://{kafka_server}/nobody-s")
    (ended,) = fleetlog(redrive, environment={"FLEETLOG_CONFIG": str(file)})
    assert (ended.code, ended.err) == (1, "fleetlog: SASL_PLAINTEXT needs mechanism, username and password\n")
