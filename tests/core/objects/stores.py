"""The object stores of the contract: a folder, and a bucket that is there for the tests of one module alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit

from fleetlog_core.objects.orphans import Sweepable
from fleetlog_core.objects.port import ObjectName, ObjectStore
from fleetlog_core.objects.s3 import S3Store
from fleetlog_core.objects.s3_settings import S3Settings
from minio import Minio

from tests.servers import unique

RUN = bytes(range(16))
MIB = 1 << 20


class Store(ObjectStore, Sweepable, Protocol):
    """Both sides of a store."""


@contextmanager
def bucket(url: str) -> Iterator[S3Settings]:
    """Settings of a bucket that the store has to make; removed at the end, with what is in it."""
    settings = replace(S3Settings.from_url(url), bucket=unique())
    try:
        yield settings
    finally:
        client = direct(settings)
        if client.bucket_exists(settings.bucket):
            for one in client.list_objects(settings.bucket, recursive=True):
                client.remove_object(settings.bucket, one.object_name)
            client.remove_bucket(settings.bucket)


@contextmanager
def s3(url: str) -> Iterator[S3Store]:
    with bucket(url) as settings:
        store = S3Store(settings)
        yield store
        store.close()


def direct(settings: S3Settings) -> Minio:
    """The bucket as it is, past the adapter."""
    parts = urlsplit(settings.endpoint)
    return Minio(parts.netloc, settings.access_key, settings.secret_key, secure=False, region=settings.region)


def name_of(data: bytes, namespace: str = "default", run_id: bytes = RUN) -> ObjectName:
    return ObjectName(namespace, run_id, hashlib.sha256(data).digest())


def chunked(data: bytes, size: int = MIB) -> Iterator[bytes]:
    yield from (data[start : start + size] for start in range(0, len(data), size))
