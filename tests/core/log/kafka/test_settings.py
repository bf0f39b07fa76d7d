from __future__ import annotations

import pytest
from fleetlog_core.log.kafka.settings import KafkaSecurity, KafkaSettings

BROKERS = ("broker-1:9092",)


def test_secrets_do_not_show() -> None:
    security = KafkaSecurity(
        protocol="SASL_SSL", mechanism="SCRAM-SHA-512", username="fleetlog", password="s3cr3t", key_password="k3y"
    )
    settings = KafkaSettings(BROKERS, security=security)
    assert "s3cr3t" not in repr(settings)
    assert "k3y" not in repr(settings)
    assert settings.connection()["sasl_plain_password"] == "s3cr3t"


def test_a_log_that_forgets_has_to_be_asked_for() -> None:
    with pytest.raises(ValueError, match="retention_millis is 604,800,000"):
        KafkaSettings(BROKERS, retention_millis=604_800_000)
    assert KafkaSettings(BROKERS, retention_millis=604_800_000, may_lose_events=True)


@pytest.mark.parametrize(("replication", "least"), [(1, "1"), (2, "2"), (3, "2"), (5, "3")])
def test_an_acknowledged_record_is_on_a_majority(replication: int, least: str) -> None:
    assert KafkaSettings(BROKERS, replication=replication).topic_options()["min.insync.replicas"] == least


def test_settings_that_can_not_work_are_refused() -> None:
    with pytest.raises(ValueError, match="host:port"):
        KafkaSettings(("broker-1",))
    with pytest.raises(ValueError, match="prefix"):
        KafkaSettings(BROKERS, prefix="a/b")
    with pytest.raises(ValueError, match="compression"):
        KafkaSettings(BROKERS, compression="brotli")
    with pytest.raises(ValueError, match="needs mechanism"):
        KafkaSecurity(protocol="SASL_SSL", username="fleetlog")
