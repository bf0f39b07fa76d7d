"""The bucket of an S3 store: clients of the minio package, and its errors as the port's."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from fleetlog_core.objects.direct import URL_SECONDS
from fleetlog_core.objects.port import ObjectStoreUnavailable
from fleetlog_core.objects.s3_settings import S3Settings
from fleetlog_core.unavailable import shortage_of

_SHORTAGES = {
    "XMinioStorageFull": "its disk is full",
    "QuotaExceeded": "its quota is used up",
    "XMinioAdminBucketQuotaExceeded": "its quota is used up",
    "SlowDown": "it has too many requests",
    "AccessDenied": "its keys are refused",
    "InvalidAccessKeyId": "its keys are refused",
    "SignatureDoesNotMatch": "its keys are refused",
    "NoSuchBucket": "its bucket is not there",
}
_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class Bucket:
    """Thread-safe. Asks the store nothing before it is used: one that is down is unavailable then."""

    def __init__(self, settings: S3Settings) -> None:
        self.name = settings.bucket
        self._settings = settings
        self._pool = _pool(settings)
        self._client = _client(settings, settings.endpoint, self._pool)
        # Signs alone, and never connects.
        self._signer = _client(settings, settings.public_endpoint or settings.endpoint, self._pool)
        self._ready = False
        self._making = threading.Lock()

    def client(self) -> Minio:
        """For calls inside `told`. The bucket is there."""
        if not self._ready:
            with self._making:
                if not self._ready and not self._client.bucket_exists(self.name):
                    self._make()
                self._ready = True
        return self._client

    def signed(self, method: str, key: str, query: dict[str, str]) -> str:
        """An address for one method, one key and one query, which works for URL_SECONDS."""
        lifetime = timedelta(seconds=URL_SECONDS)
        return self._signer.get_presigned_url(
            method, self.name, key, expires=lifetime, extra_query_params=dict[str, str | list[str] | tuple[str]](query)
        )

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors of the driver and the store as errors of the port."""
        try:
            yield
        except S3Error as error:
            # A refusal too: keys, policies, quotas and buckets are mended at the store, and then it is done again.
            raise ObjectStoreUnavailable(
                f"S3 at {self._settings.endpoint} refused: {error.code}", shortage=_SHORTAGES.get(error.code or "", "")
            ) from error
        except (ServerError, InvalidResponseError) as error:
            raise ObjectStoreUnavailable(f"S3 at {self._settings.endpoint} failed") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, MemoryError, RuntimeError, ParseError) as error:
            raise ObjectStoreUnavailable(
                f"S3 at {self._settings.endpoint} does not answer: {type(error).__name__}", shortage=shortage_of(error)
            ) from error

    def close(self) -> None:
        """Let go of the connections that are idle."""
        self._pool.clear()

    def _make(self) -> None:
        try:
            self._client.make_bucket(self.name)
        except S3Error as error:
            if error.code not in _THERE:
                raise


def is_code(error: S3Error, *codes: str) -> bool:
    """Whether the store said one of these."""
    return error.code in codes


def _client(settings: S3Settings, endpoint: str, pool: urllib3.PoolManager) -> Minio:
    parts = urlsplit(endpoint)
    return Minio(
        parts.netloc,
        settings.access_key,
        settings.secret_key,
        secure=parts.scheme == "https",
        region=settings.region,
        http_client=pool,
    )


def _pool(settings: S3Settings) -> urllib3.PoolManager:
    # A CA that is named is read for each connection, so that it can be replaced; those of the system are read once.
    trust: dict[str, Any] = {"ssl_context": ssl.create_default_context()}
    if settings.ca_path is not None:
        trust = {"ca_certs": str(settings.ca_path), "cert_reqs": "CERT_REQUIRED"}
    # The driver's own waits five minutes, six times.
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=settings.connect_timeout_seconds, read=settings.read_timeout_seconds),
        maxsize=settings.connections,
        retries=urllib3.Retry(total=2, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504]),
        **trust,
    )
