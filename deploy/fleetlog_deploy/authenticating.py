"""Authentication as the settings say it, and the admin's token of a data directory."""

from __future__ import annotations

from pathlib import Path

from fleetlog_core.auth.authentication import Authentication
from fleetlog_core.auth.claims import rules_of
from fleetlog_core.auth.jwt_tokens import JwtTokens, Provider
from fleetlog_core.auth.kept_tokens import read_tokens
from fleetlog_core.auth.tokens import new_token
from fleetlog_core.secret_files import write_secret
from fleetlog_core.warehouse.port import Warehouse

from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import AuthSettings

ADMIN_FILE = "admin.token"
"""In the data directory of `fleetlog up --auth`: the token of its first admin."""
_JWT = ("jwt_issuer", "jwt_audience", "jwt_keys_url", "jwt_rules")


def authentication_of(settings: AuthSettings, warehouse: Warehouse) -> Authentication | None:
    """Who shows a token; None: nobody is asked. SettingsRefused."""
    if not settings.enabled:
        if settings.admin_token or any(getattr(settings, name) for name in _JWT):
            raise SettingsRefused(["auth.enabled is not set, and more of [auth] is: set it, or leave the rest out"])
        return None
    return Authentication(lambda: read_tokens(warehouse.select), settings.admin_token, _jwt_tokens(settings))


def _jwt_tokens(settings: AuthSettings) -> JwtTokens | None:
    said = {name: getattr(settings, name) for name in _JWT}
    if not any(said.values()):
        return None
    if missing := [name for name, value in said.items() if not value]:
        raise SettingsRefused([f"auth.{missing[0]} is not set: an identity provider takes {', '.join(_JWT)}"])
    try:
        rules = rules_of(settings.jwt_rules)
    except ValueError as error:
        raise SettingsRefused([f"auth.jwt_rules: {error}"]) from None
    provider = Provider(
        settings.jwt_issuer, settings.jwt_audience, settings.jwt_keys_url, rules, settings.jwt_principal_claim
    )
    return JwtTokens(provider)


def admin_token(data: Path) -> tuple[str, bool]:
    """The token of a data directory's admin, and whether it was made just now. OSError."""
    path = data / ADMIN_FILE
    if path.exists() and (text := path.read_text(encoding="ascii").strip()):
        return text, False
    text = new_token().text
    write_secret(path, text.encode("ascii") + b"\n")
    return text, True
