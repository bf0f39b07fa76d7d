"""Settings from their sources. What is said later wins: defaults, the file, the environment, the command line.

A secret may stand in a file of its own, which `_file` behind its name names: `[kafka] password_file`, or
FLEETLOG_KAFKA_PASSWORD_FILE.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetlog_deploy.settings.model import KEYS, Key, Settings, sections
from fleetlog_deploy.settings.shown import shown_value

FILE_VARIABLE = "FLEETLOG_CONFIG"
DEFAULT = "default"
PREFIX = "FLEETLOG_"
OF_FILE = "_file"
"""Behind the name of a secret: it stands in that file."""
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class SettingsRefused(Exception):
    """Settings that can't be meant; one line for each, with the key, its value, the limit and the mend."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = complaints


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and of each ("section.name") where it was said."""

    settings: Settings
    sources: Mapping[str, str]


def load(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: Mapping[str, object] | None = None,
) -> Loaded:
    """Read all sources. SettingsRefused.

    Without `file`, the one that FLEETLOG_CONFIG names. `given` is the command line: "section.name" → value or None.
    """
    environment = os.environ if environment is None else environment
    found = _Found()
    path = settings_file(file, environment)
    if path is not None:
        _read_file(path, found)
    _read_environment(environment, found)
    for name, value in (given or {}).items():
        if value is not None:
            found.take(KEYS[name], value, "command line")
    if found.complaints:
        raise SettingsRefused(found.complaints)
    made = {
        section: kind(
            **{key.name: found.values.get(str(key), key.default) for key in KEYS.values() if key.section == section}
        )
        for section, kind in sections().items()
    }
    return Loaded(Settings(**made), {name: found.sources.get(name, DEFAULT) for name in KEYS})


def settings_file(given: Path | None, environment: Mapping[str, str] | None = None) -> Path | None:
    """The file of settings: the one that is given, or that FLEETLOG_CONFIG names; None = there is none."""
    named = (os.environ if environment is None else environment).get(FILE_VARIABLE)
    return given or (Path(named) if named else None)


class _Found:
    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.sources: dict[str, str] = {}
        self.complaints: list[str] = []

    def take(self, key: Key, value: object, source: str) -> None:
        try:
            typed = _typed(key, value)
        except ValueError as error:
            self.complaints.append(f"{key} = {shown_value(key, value)} ({source}): {error}")
            return
        self.values[str(key)] = typed
        self.sources[str(key)] = source

    def take_file(self, key: Key, path: object, source: str) -> None:
        """The secret that a file has; a line's end behind it is none of it."""
        try:
            text = Path(str(path)).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            self.complaints.append(f"{key}{OF_FILE} ({source}): {path} can't be read: {error.strerror}")
        except UnicodeDecodeError:
            self.complaints.append(f"{key}{OF_FILE} ({source}): {path} is no text in UTF-8")
        else:
            self.take(key, text, f"{source}, {path}")


def _typed(key: Key, value: object) -> object:
    """The value in the setting's type. ValueError says what it has to be."""
    fitting = isinstance(value, key.kind) and (key.kind is bool or not isinstance(value, bool))
    if key.kind is float and isinstance(value, int) and not isinstance(value, bool):
        fitting, value = True, float(value)
    if not fitting:
        raise ValueError(f"it must be {_KINDS[key.kind]}" + (f", {key.limit.words()}" if key.limit else ""))
    if key.limit is not None and not key.limit.admits(value):
        raise ValueError(f"it must be {key.limit.words()}")
    return value


_KINDS = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def _read_file(path: Path, found: _Found) -> None:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsRefused([f"{path} can't be read: {error.strerror}; give another --config"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRefused([f"{path} is no TOML: {error}"]) from None
    for section, table in tables.items():
        if section not in sections() or not isinstance(table, dict):
            found.complaints.append(f"[{section}] ({path}): there is no such section{_near(section, list(sections()))}")
            continue
        for name, value in table.items():
            key, secret = KEYS.get(f"{section}.{name}"), _secret_of(f"{section}.{name}")
            if key is None and secret is not None and secret.name not in table:
                found.take_file(secret, value, str(path))
            elif key is None and secret is not None:
                found.complaints.append(f"{section}.{name} ({path}): {secret.name} is set too; leave one of them out")
            elif key is None:
                names = [one.name for one in KEYS.values() if one.section == section]
                found.complaints.append(f"{section}.{name} ({path}): there is no such setting{_near(name, names)}")
            else:
                found.take(key, value, str(path))


def _read_environment(environment: Mapping[str, str], found: _Found) -> None:
    by_variable = {key.variable: key for key in KEYS.values()}
    mine = tuple(f"{PREFIX}{section}_".upper() for section in sections())
    for variable, text in sorted(environment.items()):
        key = by_variable.get(variable)
        base = by_variable.get(variable.removesuffix(OF_FILE.upper()))
        secret = base if base is not None and base.secret else None
        if key is not None:
            try:
                value = _PARSERS[key.kind](text)
            except ValueError:
                # Said by its type, in the same words as for a file.
                value = _Unparsed(text)
            found.take(key, value, variable)
        elif secret is not None and secret.variable in environment:
            found.complaints.append(f"{variable}: {secret.variable} is set too; leave one of them out")
        elif secret is not None:
            found.take_file(secret, text, variable)
        elif variable.startswith(mine):
            # Others that begin with FLEETLOG_ are the client's.
            found.complaints.append(f"{variable}: there is no such setting{_near(variable, list(by_variable))}")


def _secret_of(name: str) -> Key | None:
    """The secret that `section.name_file` is the file of."""
    key = KEYS.get(name.removesuffix(OF_FILE)) if name.endswith(OF_FILE) else None
    return key if key is not None and key.secret else None


class _Unparsed(str):
    """A text where something else is wanted."""

    __slots__ = ()


def _truth(text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError


_PARSERS: dict[type, Callable[[str], object]] = {str: str, int: int, float: float, bool: _truth}


def _near(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"; is {close[0]} meant?" if close else f"; there are {', '.join(names)}" if len(names) < 12 else ""
