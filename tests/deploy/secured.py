"""What compose.yaml and kubernetes/ say to processes, tried on this machine: their settings and their mounted files.

Kafka, ClickHouse and the S3 store are those that tests have, with TLS put in front of them: addresses, and who we are
to them, are replaced in the settings, and nothing else. Kafka's users are the one thing that is not tried so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from fleetlog_core.log.kafka.topics import administer
from fleetlog_core.serving.tls import TlsFiles
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_deploy.certificates.folders import put

from tests.core.log.kafka.own_topics import own_topics
from tests.core.objects.stores import bucket
from tests.core.tls_proxy import TlsProxy, brokers_renamed
from tests.deploy.databases import database
from tests.deploy.manifests import DEPLOY, KUBERNETES, compose, documents
from tests.deploy.processes import Up, running

HERE = ["localhost", "127.0.0.1"]
BIN = Path(sys.executable).parent


def made_secrets(folder: Path, *names: str) -> Path:
    """The folder private/ that deploy/secrets makes."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DEPLOY / "secrets", folder)
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run([folder / "secrets", *names], check=True, capture_output=True, timeout=120, env=environment)
    return folder / "private"


def issue(private: Path, *folders: str, new_ca: bool = False, renew: bool = False) -> None:
    """Certificates for this machine, in these folders of private/."""
    asked = dict.fromkeys(folders, HERE)
    list(put(private, asked, datetime.now(UTC), 90, new_ca=new_ca, renew=renew, shared=True))


def image_variables() -> dict[str, str]:
    """What the image itself says in the environment."""
    parts = (part.partition("=") for part in (DEPLOY / "Dockerfile").read_text().split())
    return {name: value for name, _, value in parts if name.startswith("FLEETLOG_")}


def compose_environment(service: str, private: Path) -> dict[str, str]:
    """The environment of a service of compose.yaml, with its mounted files where they are on this machine."""
    said = compose()[service]
    mounts = [volume.split(":") for volume in said["volumes"]]
    folders = {f"{target}/": f"{private.parent / source}/" for source, target, *_ in mounts}
    secrets = {f"/run/secrets/{name}": f"{private}/secrets/{name}" for name in said["secrets"]}
    return {**image_variables(), **moved(said["environment"], {**folders, **secrets})}


def kubernetes_environment(deployment: str, private: Path) -> dict[str, str]:
    """The environment of a deployment of kubernetes/, with its mounted files where they are on this machine."""
    (listed,) = documents(KUBERNETES / "kustomization.yaml")
    literals = {
        one["name"]: dict(text.split("=", 1) for text in one["literals"]) for one in listed["configMapGenerator"]
    }
    (container,) = [
        container
        for one in documents(KUBERNETES / f"{deployment}.yaml")
        if one["kind"] == "Deployment"
        for container in one["spec"]["template"]["spec"]["containers"]
    ]
    said = {
        name: value
        for source in container["envFrom"]
        for name, value in literals[source["configMapRef"]["name"]].items()
    }
    folders = {
        "/etc/fleetlog/secrets/s3_": f"{private}/secrets/s3_",
        "/etc/fleetlog/secrets/": f"{private}/secrets/",
        "/etc/fleetlog/engines/": f"{private}/materializer/",
        "/etc/fleetlog/certificate/": f"{private}/server/",
    }
    return {**image_variables(), **moved(said, folders)}


def moved(environment: Mapping[str, str], paths: Mapping[str, str]) -> dict[str, str]:
    """The environment with other beginnings of paths."""
    found = {}
    for name, text in environment.items():
        for old, new in paths.items():
            text = text.replace(old, new)
        found[name] = text
    return found


@dataclass
class Secured:
    """Engines of one test behind TLS, and the processes over them."""

    private: Path
    engines: dict[str, str]
    """FLEETLOG_* that say where the engines are, without what is trusted."""
    proxies: list[TlsProxy]
    stack: ExitStack
    path: Path
    started: list[Up] = field(default_factory=list)

    def environment(self, said: Mapping[str, str]) -> dict[str, str]:
        """The settings with this test's engines in them. What is trusted, and every file, stays as it was said."""
        found, store = dict(said), self.engines["FLEETLOG_OBJECTS_URL"].rpartition("/")[0]
        for name in ("FLEETLOG_WAREHOUSE_URL", "FLEETLOG_OBJECTS_URL"):
            # Where clients of this machine reach the store is where the server does.
            trusted = urlsplit(said[name]).query.replace("https://localhost:9000", store)
            found[name] = f"{self.engines[name]}?{trusted}"
        found["FLEETLOG_LOG_URL"] = self.engines["FLEETLOG_LOG_URL"]
        found["FLEETLOG_KAFKA_PROTOCOL"] = said["FLEETLOG_KAFKA_PROTOCOL"].removeprefix("SASL_")
        return found

    def serve(self, said: Mapping[str, str], *arguments: str, **more: str) -> Up:
        """`fleetlog serve`, killed at the end unless it was stopped. Its diagnostics go to a file."""
        err = self.stack.enter_context((self.path / f"{len(self.started):02}-{arguments[0]}.log").open("w"))
        ports = {"FLEETLOG_METRICS_PORT": "0", "FLEETLOG_METRICS_HOST": "127.0.0.1", "FLEETLOG_SERVER_PORT": "0"}
        environment = {**self.environment(said), **ports, **more}
        server = self.stack.enter_context(running("serve", *arguments, environment=environment, err=err))
        self.started.append(server)
        return server

    def told(self) -> str:
        """What the processes said so far."""
        return "".join(path.read_text() for path in sorted(self.path.glob("*.log")))


@contextmanager
def secured(kafka_server: str, clickhouse_server: str, s3_server: str, path: Path) -> Iterator[Secured]:
    """Secrets as deploy/secrets makes them, and engines behind TLS with certificates of its CA."""
    private = made_secrets(path / "deploy")
    issue(private, "server", "kafka", "clickhouse", "minio")
    with (
        own_topics(kafka_server, 2) as kafka,
        database(clickhouse_server) as warehouse_url,
        bucket(s3_server) as s3,
        ExitStack() as stack,
    ):

        def proxy(host: str, port: int, name: str) -> TlsProxy:
            files = TlsFiles(private / name / "tls.crt", private / name / "tls.key")
            return stack.enter_context(TlsProxy(host, port, files))

        brokers = [
            (str(one["host"]), int(str(one["port"])))
            for one in administer(kafka, lambda admin: list(admin.describe_cluster()["brokers"]))
        ]
        kafkas = {broker: proxy(*broker, "kafka") for broker in brokers}
        brokers_renamed(kafkas)
        tables = ClickHouseSettings.from_url(warehouse_url)
        warehouse = proxy(tables.host, tables.port, "clickhouse")
        store = urlsplit(s3.endpoint)
        objects = proxy(store.hostname or "", store.port or 0, "minio")
        secrets = private / "secrets"
        (secrets / "clickhouse_password").write_text(tables.password)
        for name in ("minio_password", "s3_secret_key"):
            (secrets / name).write_text(s3.secret_key)
        (secrets / "s3_access_key").write_text(s3.access_key)
        bootstrap = ",".join(f"{host}:{one.port}" for (host, _), one in kafkas.items())
        engines = {
            "FLEETLOG_LOG_URL": f"kafka://{bootstrap}/{kafka.prefix}",
            "FLEETLOG_WAREHOUSE_URL": f"clickhouses://{tables.user}@127.0.0.1:{warehouse.port}/{tables.database}",
            "FLEETLOG_OBJECTS_URL": f"https://127.0.0.1:{objects.port}/{s3.bucket}",
        }
        yield Secured(private, engines, [*kafkas.values(), warehouse, objects], stack, path)
