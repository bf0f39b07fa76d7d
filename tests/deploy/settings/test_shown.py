from __future__ import annotations

import tomllib

import pytest
from fleetlog_deploy.settings.load import load
from fleetlog_deploy.settings.model import KEYS
from fleetlog_deploy.settings.shown import lines, shown_value

SECRETS = {
    "FLEETLOG_WAREHOUSE_URL": "clickhouse://ann:hidden@host:9000/db",
    "FLEETLOG_OBJECTS_URL": "https://hidden-key:hidden-secret@host/bucket",
    "FLEETLOG_KAFKA_PASSWORD": "hidden",
    "FLEETLOG_KAFKA_KEY_PASSWORD": "hidden",
    "FLEETLOG_QUERY_TOKEN_KEY": "ab" * 32,
}


def test_what_is_shown_is_a_file_with_its_sources_and_without_secrets() -> None:
    loaded = load(environment={**SECRETS, "FLEETLOG_SERVER_HOST": 'a "host"\n'})
    text = "\n".join(lines(loaded))
    assert "hidden" not in text
    assert "abab" not in text
    shown = tomllib.loads(text)
    assert shown["warehouse"]["url"] == "clickhouse://***@host:9000/db"
    assert shown["objects"]["url"] == "https://***@host/bucket"
    assert (shown["kafka"]["password"], shown["query"]["token_key"]) == ("***", "***")
    assert shown["server"]["host"] == 'a "host"\n'
    assert "port = 7460  # default" in text
    assert 'url = "clickhouse://***@host:9000/db"  # FLEETLOG_WAREHOUSE_URL' in text
    assert "# not set: port  # default" in text
    assert sum(map(len, shown.values())) == len(KEYS) - 2


def test_nothing_secret_is_in_a_repr() -> None:
    told = repr(load(environment=SECRETS).settings)
    assert "hidden" not in told
    assert "abab" not in told


@pytest.mark.parametrize("name", ["log.url", "server.host", "warehouse.url"])
def test_a_password_in_any_url_is_masked(name: str) -> None:
    assert "hidden" not in shown_value(KEYS[name], "x://ann:hid/hidden@host:1/db?a=b@c")
