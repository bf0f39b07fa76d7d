"""Files in S3, of whose keys MLflow's own environment tells: MLFLOW_S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from fleetlog.importers.source import SourceFile
from fleetlog.importers.spool import spooled

if TYPE_CHECKING:
    from minio import Minio

SCHEME = "s3"
_AMAZON = "https://s3.amazonaws.com"
_BLOCK_BYTES = 1 << 20
_METADATA_SECONDS = 3.0
"""Longest wait for the service that tells machines of Amazon of their role: elsewhere nobody answers."""


class Unreachable(Exception):
    """A bucket that can't be read: its message says why."""


class Buckets:
    """Reads buckets of one S3 store. It is asked nothing before files of it are wanted."""

    def __init__(self) -> None:
        self._client: Minio | None = None

    def files(self, uri: str) -> Iterator[SourceFile]:
        """Yields the files below s3://bucket/path, by name. Unreachable."""
        client = self._connected()
        from minio.error import MinioException
        from urllib3.exceptions import HTTPError

        parts = urlsplit(uri)
        prefix = unquote(parts.path).strip("/")
        prefix = f"{prefix}/" if prefix else ""
        try:
            for found in client.list_objects(parts.netloc, prefix, recursive=True):
                key = found.object_name or ""
                # A key that ends so is the folder itself, which some tools make.
                if not key.endswith("/"):
                    yield SourceFile(key.removeprefix(prefix), partial(self._open, parts.netloc, key), found.size)
        except (MinioException, HTTPError, OSError, ValueError) as error:
            raise Unreachable(_why(error)) from None

    def _open(self, bucket: str, key: str) -> BinaryIO:
        """The file, read whole: what breaks off is told before anything of it is sent. OSError."""
        from minio.error import MinioException
        from urllib3.exceptions import HTTPError

        try:
            with self._connected().get_object(bucket, key) as answer:
                return spooled(answer.stream(_BLOCK_BYTES))
        except (MinioException, HTTPError, ValueError) as error:
            raise OSError(_why(error)) from None

    def _connected(self) -> Minio:
        if self._client is None:
            try:
                from minio import Minio
                from minio.credentials.providers import (
                    AWSConfigProvider,
                    ChainedProvider,
                    EnvAWSProvider,
                    IamAwsProvider,
                )
                from urllib3 import PoolManager
            except ImportError:
                raise Unreachable("reading S3 needs minio: pip install 'fleetlog[import-s3]'") from None
            named = os.environ.get("MLFLOW_S3_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3") or _AMAZON
            endpoint = urlsplit(named)
            role = IamAwsProvider(http_client=PoolManager(timeout=_METADATA_SECONDS, retries=0))
            self._client = Minio(
                endpoint.netloc,
                secure=endpoint.scheme != "http",
                region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
                credentials=ChainedProvider([EnvAWSProvider(), AWSConfigProvider(), role]),
            )
        return self._client


def _why(error: Exception) -> str:
    """In a line: minio's own messages have a trace of the answer in them."""
    from minio.error import S3Error

    if isinstance(error, S3Error):
        return f"S3 refuses: {error.code}"
    return f"S3 can't be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
