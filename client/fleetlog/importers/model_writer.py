"""Models of a source: logged ones as events of their own, registered ones as decisions of the registry, once."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from contextlib import suppress

from fleetlog_core.errors import InvalidArgument, ResourceExhausted
from fleetlog_core.ids import ID_BYTES, new_random_id
from fleetlog_core.rules.events import check_event
from fleetlog_proto.v1 import (
    event_pb2,
    frame_pb2,
    logged_model_event_pb2,
    logged_model_pb2,
    model_version_pb2,
    registry_event_pb2,
)

from fleetlog._events.items import Fact, Writer
from fleetlog._views.models import STAGE_NUMBERS, Model
from fleetlog.client import Client
from fleetlog.errors import FleetlogError, NotFound, is_verdict
from fleetlog.importers.connections import connection_of
from fleetlog.importers.destinations import Destinations
from fleetlog.importers.model_ids import here, model_id_of
from fleetlog.importers.report import Report
from fleetlog.importers.run_files import FileEvents
from fleetlog.importers.sending import Sender
from fleetlog.importers.source import Unread
from fleetlog.importers.source_models import ModelSource, SourceLoggedModel, SourceModel, SourceVersion

SOURCE_URI = "source_uri"
"""Tag of a version whose files are here: where they were."""
_STATUSES = {
    "PENDING": logged_model_event_pb2.LOGGED_MODEL_STATUS_PENDING,
    "READY": logged_model_event_pb2.LOGGED_MODEL_STATUS_READY,
    "FAILED": logged_model_event_pb2.LOGGED_MODEL_STATUS_FAILED,
}


class ModelWriter:
    """Imports models, behind the runs. `ids`, `experiments`: of runs of the source, here."""

    def __init__(
        self, client: Client, sender: Sender, files: FileEvents, destinations: Destinations,
        ids: Mapping[str, bytes], experiments: Mapping[str, int], left_out: list[Unread],
    ) -> None:  # fmt: skip
        self._client = client
        self._connection = connection_of(client)
        self._sender = sender
        self._files = files
        self._destinations = destinations
        self._ids = ids
        self._experiments = experiments
        self._left_out = left_out

    def run(self, source: ModelSource, report: Report) -> None:
        """Import all models. FleetlogError: the server does not answer."""
        for logged in source.logged_models():
            if self._logged_model(logged, report):
                report.logged_models += 1
        self._sender.finish()
        for model in source.registered_models():
            self._registered_model(model, report)

    def _logged_model(self, model: SourceLoggedModel, report: Report) -> bool:
        model_id = model_id_of(model.id)
        if self._is_here(model_id):
            return True
        author = _author(self._client.namespace, model_id, b"files")
        number = self._destinations.of(model.experiment).id
        created = logged_model_event_pb2.LoggedModelCreated(
            experiment_id=number, name=model.name or model.id, source_run_id=self._ids.get(model.run or "", b""),
            model_type=model.model_type, params=model.params, tags=model.tags,
        )  # fmt: skip
        if model.run and model.run not in self._ids:
            created.tags["fleetlog.foreign_run_id"] = model.run
        try:
            event = event_pb2.Event(logged_model_created=created)
            check_event(event, "model", subject=frame_pb2.SUBJECT_MODEL)
        except (InvalidArgument, ResourceExhausted) as error:
            self._left_out.append(Unread(f"logged model {model.id}", error.message))
            return False
        where, time = f"logged model {model.id}", model.create_time or 0
        events = [event_pb2.Event(observe_time_millis=time, logged_model_created=created)]
        for event in self._files.events(author, model.files(), (), time, where, self._left_out):
            report.files += 1
            report.file_bytes += event.artifact_logged.size_bytes
            events.append(event)
        updated = logged_model_event_pb2.LoggedModelUpdated(status=_STATUSES.get(model.status, _STATUSES["READY"]))
        if model.status_message:
            updated.status_message = model.status_message
        events.append(event_pb2.Event(observe_time_millis=time, logged_model_updated=updated))
        if model.deleted:
            deleted = logged_model_event_pb2.LoggedModelDeleted()
            events.append(event_pb2.Event(observe_time_millis=time, logged_model_deleted=deleted))
        digest = hashlib.blake2b(digest_size=ID_BYTES)
        for event in events:
            digest.update(event.SerializeToString(deterministic=True))
        writer = _author(self._client.namespace, model_id, digest.digest())
        self._sender.send(writer, [Fact(writer, event) for event in events])
        return True

    def _is_here(self, model_id: bytes) -> bool:
        """True if the model came whole: its status is the last that is told of it."""
        request = logged_model_pb2.GetLoggedModelRequest(
            namespace=self._client.namespace, model_id=model_id.hex(), at_least=self._connection.position()
        )
        try:
            found = self._connection.call(self._connection.models_query.GetLoggedModel, request, self._client.timeout)
        except NotFound:
            return False
        return found.model.status != logged_model_event_pb2.LOGGED_MODEL_STATUS_PENDING

    def _registered_model(self, source: SourceModel, report: Report) -> None:
        where = f"registered model {source.name}"
        try:
            model = self._client.create_model(
                source.name, description=source.description, tags=source.tags, exist_ok=True
            )
            report.models += 1
            stages = {one.version: one.stage for one in self._client.versions(source.name)}
            for version in sorted(source.versions, key=lambda one: one.number):
                if version.number not in stages and not self._version(source.name, version):
                    continue
                report.versions += 1
                if version.stage != "None" and stages.get(version.number, "None") == "None":
                    self._transition(source.name, version)
            self._aliases(source, model)
        except FleetlogError as error:
            if not is_verdict(error):
                raise
            self._left_out.append(Unread(where, error.message))

    def _version(self, name: str, source: SourceVersion) -> bool:
        """Make a version, with the number that it has: those that the source has no more are made and deleted."""
        for made in self._made_versions(name, source):
            if made.version == source.number:
                for comment in source.comments:
                    self._client.add_model_comment(name, comment, version=made.version)
                return True
            with suppress(NotFound):
                self._client.delete_version(name, made.version)
            if made.version > source.number:
                break
        where = f"registered model {name}, version {source.number}"
        self._left_out.append(Unread(where, "the registry here has given out its number and goes on behind it"))
        return False

    def _made_versions(self, name: str, source: SourceVersion) -> Iterator[model_version_pb2.ModelVersion]:
        location, path = here(source.source, source.run, self._ids, self._experiments)
        lineage = registry_event_pb2.ModelLineage(
            artifact_path=path, logged_model_id=source.logged_model, run_link=source.run_link
        )
        if source.run and source.run in self._ids:
            lineage.run_id = self._ids[source.run].hex()
        elif source.run:
            lineage.foreign_run_id = source.run
        tags = {**source.tags, SOURCE_URI: source.source} if location != source.source else source.tags
        connection = self._connection
        for attempt in itertools.count():
            # Two imports that are under way at once ask for the same, and get the same.
            asked = hashlib.blake2b(f"{name}/{source.number}/{attempt}".encode(), digest_size=ID_BYTES).digest()
            request = model_version_pb2.CreateModelVersionRequest(
                namespace=self._client.namespace, request_id=asked, user=source.user, name=name,
                source=location, storage_location=location, description=source.description, tags=tags, lineage=lineage,
            )  # fmt: skip
            answer = connection.call(connection.registry.CreateModelVersion, request, self._client.timeout)
            connection.saw(answer.position)
            yield answer.version

    def _transition(self, name: str, source: SourceVersion) -> None:
        connection = self._connection
        request = model_version_pb2.TransitionModelVersionRequest(
            namespace=self._client.namespace, request_id=new_random_id(), user=source.user, name=name,
            version=source.number, stage=STAGE_NUMBERS[source.stage],
        )  # fmt: skip
        answer = connection.call(connection.registry.TransitionModelVersion, request, self._client.timeout)
        connection.saw(answer.position)

    def _aliases(self, source: SourceModel, model: Model) -> None:
        for alias, number in source.aliases.items():
            if alias not in model.aliases:
                self._client.set_alias(source.name, alias, number)


def _author(namespace: str, model_id: bytes, writer_id: bytes) -> Writer:
    found = Writer(namespace, model_id, writer_id, None, "", None)
    found.subject = frame_pb2.SUBJECT_MODEL
    return found
