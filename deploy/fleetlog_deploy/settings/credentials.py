"""User, password and keys of engines that are set beside their URLs."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, urlsplit, urlunsplit

from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import Settings


def with_credentials(settings: Settings) -> Settings:
    """Settings whose URLs have what was set beside them. SettingsRefused when a URL has other credentials itself."""
    warehouse, objects = settings.warehouse, settings.objects
    if warehouse.password and warehouse.url.startswith("clickhouse"):
        user = urlsplit(warehouse.url).username or "default"
        url = _joined("warehouse.password", warehouse.url, user, quote(warehouse.password, safe=""))
        settings = replace(settings, warehouse=replace(warehouse, url=url, password=""))
    if bool(objects.access_key) != bool(objects.secret_key):
        missing = "secret_key" if objects.access_key else "access_key"
        raise SettingsRefused([f"objects.{missing} is not set, and the other key is: an S3 store takes both"])
    if objects.access_key and objects.url.startswith("http"):
        keys = quote(objects.access_key, safe=""), quote(objects.secret_key, safe="")
        url = _joined("objects.access_key", objects.url, *keys)
        settings = replace(settings, objects=replace(objects, url=url, access_key="", secret_key=""))
    return settings


def _joined(name: str, url: str, user: str, password: str) -> str:
    """`user` and `password` in a URL's own notation."""
    parts = urlsplit(url)
    if parts.password:
        raise SettingsRefused([f"{name} is set, and the URL has one too: leave one of them out"])
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))
