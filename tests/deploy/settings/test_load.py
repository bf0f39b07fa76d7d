from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fleetlog_core.objects.s3_settings import S3Settings
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_deploy.settings.credentials import with_credentials
from fleetlog_deploy.settings.load import SettingsRefused, load
from fleetlog_deploy.settings.model import KEYS, Settings
from fleetlog_deploy.settings.shown import lines

FILE = """
[log]
url = "kafka://one:9092,two:9092/fleetlog"
[server]
host = "::1"
port = 7000
drain_seconds = 3
[metrics]
port = 9100
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleetlog.toml"
    path.write_text(FILE)
    return path


def refused(file: Path | None = None, **environment: str) -> list[str]:
    with pytest.raises(SettingsRefused) as caught:
        load(file, environment)
    return caught.value.complaints


def test_nothing_said_is_the_defaults() -> None:
    loaded = load(environment={"HOME": "/", "FLEETLOG_TARGET": "the client's"})
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


def test_what_is_said_later_wins_and_each_says_where_it_comes_from(file: Path) -> None:
    environment = {"FLEETLOG_SERVER_PORT": "7001", "FLEETLOG_METRICS_PORT": "9101", "FLEETLOG_LOG_URL": "sqlite:/x"}
    loaded = load(file, environment, {"server.port": 7002, "server.host": None})
    server, sources = loaded.settings.server, loaded.sources
    assert (server.host, sources["server.host"]) == ("::1", str(file))
    assert (server.port, sources["server.port"]) == (7002, "command line")
    assert (server.drain_seconds, type(server.drain_seconds)) == (3.0, float)
    assert (loaded.settings.metrics.port, sources["metrics.port"]) == (9101, "FLEETLOG_METRICS_PORT")
    assert (loaded.settings.log.url, sources["log.url"]) == ("sqlite:/x", "FLEETLOG_LOG_URL")
    assert sources["metrics.host"] == "default"


def test_the_environment_names_the_file(file: Path) -> None:
    assert load(environment={"FLEETLOG_CONFIG": str(file)}).settings.server.port == 7000


def test_every_complaint_is_told_at_once_with_key_value_limit_and_mend(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(
        '[server]\nport = 70000\nprot = 1\n[sever]\nport = 1\n[log]\nurl = "file:/x"\n[query]\ntoken_key = "secret"\n'
        '[materializer]\nbatch_rows = 1.5\nbatch_wait_seconds = true\ngroup = "a b"\n'
    )
    assert refused(file, FLEETLOG_SERVER_DRAIN_SECONDS="ten", FLEETLOG_WAREHOUSE_ULR="x") == [
        f"server.port = 70000 ({file}): it must be 0 to 65,535",
        f"server.prot ({file}): there is no such setting; is port meant?",
        f"[sever] ({file}): there is no such section; is server meant?",
        f'log.url = "file:/x" ({file}): it must be sqlite:DIRECTORY or kafka://host:port,host:port/prefix',
        f'query.token_key = "***" ({file})'
        ": it must be 64 hexadecimal digits (openssl rand -hex 32), or up to"
        " 4 of them with commas",
        f"materializer.batch_rows = 1.5 ({file}): it must be a whole number, 1 to 1,000,000",
        f"materializer.batch_wait_seconds = true ({file}): it must be a number, 0 to 60",
        f"materializer.group = \"a b\" ({file}): it must be letters, digits, '.', '_' and '-'",
        'server.drain_seconds = "ten" (FLEETLOG_SERVER_DRAIN_SECONDS): it must be a number, 0 to 600',
        "FLEETLOG_WAREHOUSE_ULR: there is no such setting; is FLEETLOG_WAREHOUSE_URL meant?",
    ]


def test_a_url_that_is_refused_does_not_show_its_password() -> None:
    for secret in ("ann:hidden", "ann:hid%2Fhidden", "ann:hid/hidden", "ann:hid@hidden"):
        told = refused(FLEETLOG_WAREHOUSE_URL=f"postgres://{secret}@host/db")
        assert len(told) == 1
        assert told[0].startswith('warehouse.url = "postgres://***@host/db" (FLEETLOG_WAREHOUSE_URL): it must be chdb:')


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "601", ""])
def test_numbers_that_are_none_or_out_of_range(text: str) -> None:
    assert "0 to 600" in refused(FLEETLOG_SERVER_DRAIN_SECONDS=text)[0]


def test_a_file_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    missing, broken = tmp_path / "missing.toml", tmp_path / "broken.toml"
    broken.write_text("[server\n")
    assert refused(missing) == [f"{missing} can't be read: No such file or directory; give another --config"]
    assert refused(broken)[0].startswith(f"{broken} is no TOML: ")


def test_names_carry_units_and_are_told_apart_in_the_environment() -> None:
    assert len({key.variable for key in KEYS.values()}) == len(KEYS)
    counts = {"port", "connections", "batch_rows", "client_calls", "client_sockets"}
    counts |= {"streams", "watches", "namespace_streams", "namespace_watches", "namespace_stored_runs"}
    numbers = {key.name for key in KEYS.values() if key.kind in (int, float)} - counts
    assert all(name.endswith(("_seconds", "_millis", "_bytes", "_per_second")) for name in numbers)


def test_a_secret_may_stand_in_a_file_of_its_own_and_is_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hidden\n")
    file = tmp_path / "fleetlog.toml"
    file.write_text(f'[kafka]\npassword_file = "{secret}"\n')
    loaded = load(file, {"FLEETLOG_WAREHOUSE_PASSWORD_FILE": str(secret)})
    assert (loaded.settings.kafka.password, loaded.settings.warehouse.password) == ("hidden", "hidden")
    assert "hidden" not in "\n".join(lines(loaded)) + repr(loaded.settings)
    assert refused(FLEETLOG_KAFKA_PASSWORD="x", FLEETLOG_KAFKA_PASSWORD_FILE=str(secret)) == [
        "FLEETLOG_KAFKA_PASSWORD_FILE: FLEETLOG_KAFKA_PASSWORD is set too; leave one of them out"
    ]
    assert refused(FLEETLOG_KAFKA_PASSWORD_FILE=str(tmp_path / "none"))[0].endswith(
        "can't be read: No such file or directory"
    )
    assert refused(FLEETLOG_LOG_URL_FILE="x")[0].startswith("FLEETLOG_LOG_URL_FILE: there is no such setting")


def test_credentials_beside_a_url_are_those_of_its_engine() -> None:
    settings = load(
        environment={
            "FLEETLOG_WAREHOUSE_URL": "clickhouses://ann@host:9440/db",
            "FLEETLOG_WAREHOUSE_PASSWORD": "p@ss/word",
            "FLEETLOG_OBJECTS_URL": "https://host/bucket",
            "FLEETLOG_OBJECTS_ACCESS_KEY": "key",
            "FLEETLOG_OBJECTS_SECRET_KEY": "s/e:c",
        }
    ).settings
    ready = with_credentials(settings)
    assert ClickHouseSettings.from_url(ready.warehouse.url).password == "p@ss/word"
    store = S3Settings.from_url(ready.objects.url)
    assert (store.access_key, store.secret_key, store.endpoint) == ("key", "s/e:c", "https://host")
    twice = replace(settings, warehouse=replace(settings.warehouse, url="clickhouse://ann:other@host/db"))
    with pytest.raises(SettingsRefused, match=r"warehouse\.password is set, and the URL has one too"):
        with_credentials(twice)
