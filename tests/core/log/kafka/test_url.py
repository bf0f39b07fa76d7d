from __future__ import annotations

import pytest
from fleetlog_core.log.kafka.url import settings_of


def test_a_url_names_brokers_and_prefix() -> None:
    settings = settings_of("kafka://broker-1:9092,[::1]:9093/team.a", {})
    assert (settings.bootstrap, settings.prefix) == (("broker-1:9092", "[::1]:9093"), "team.a")
    assert settings.connection()["security_protocol"] == "PLAINTEXT"


def test_who_we_are_is_in_the_environment() -> None:
    settings = settings_of(
        "kafka://broker:9092/fleetlog",
        {
            "FLEETLOG_KAFKA_PROTOCOL": "SASL_SSL",
            "FLEETLOG_KAFKA_MECHANISM": "SCRAM-SHA-512",
            "FLEETLOG_KAFKA_USERNAME": "fleetlog",
            "FLEETLOG_KAFKA_PASSWORD": "s3cr3t",
            "FLEETLOG_KAFKA_CA_FILE": "/etc/ca.pem",
        },
    )
    assert settings.connection()["sasl_plain_password"] == "s3cr3t"
    assert settings.connection()["ssl_cafile"] == "/etc/ca.pem"


@pytest.mark.parametrize(
    "url",
    [
        "http://broker:9092/fleetlog",
        "kafka://broker/fleetlog",
        "kafka://broker:9092",
        "kafka:///fleetlog",
        "kafka://a:1,,b:2/p",
        "kafka://user:s3cr3t@broker:9092/fleetlog",
    ],
)
def test_what_is_no_log_is_refused_and_a_password_in_it_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="is no log: kafka://host:port") as refused:
        settings_of(url, {})
    assert "s3cr3t" not in str(refused.value)


def test_a_prefix_that_kafka_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix 'a/b'"):
        settings_of("kafka://broker:9092/a/b", {})
