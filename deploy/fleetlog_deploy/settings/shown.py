"""Settings as they may be shown: without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleetlog_deploy.settings.model import KEYS, Key, Settings

if TYPE_CHECKING:
    from fleetlog_deploy.settings.load import Loaded

MASK = "***"
_USER_AND_PASSWORD = re.compile(r"(?<=://).*@", re.DOTALL)
CHARACTERS = 200


def shown_value(key: Key, value: object) -> str:
    """The value as TOML; a secret masked, of a URL its user and password."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if "://" in value:
        # Whatever URL it is. A password may have any sign in it: rather too much is masked than too little.
        value = _USER_AND_PASSWORD.sub(f"{MASK}@", value)
    elif key.secret and value and not key.name.endswith("url"):
        value = MASK
    return json.dumps(value[:CHARACTERS], ensure_ascii=False)


def lines(loaded: Loaded) -> Iterator[str]:
    """All settings as a TOML file that says of each where it comes from."""
    for section in _sections(loaded.settings):
        yield f"[{section}]"
        for key in KEYS.values():
            if key.section == section:
                value = getattr(getattr(loaded.settings, section), key.name)
                told = "# not set: " + key.name if value is None else f"{key.name} = {shown_value(key, value)}"
                yield f"{told}  # {loaded.sources[str(key)]}"
        yield ""


def _sections(settings: Settings) -> list[str]:
    return list(dict.fromkeys(key.section for key in KEYS.values()))
