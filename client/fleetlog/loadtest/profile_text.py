"""A profile as the TOML file that says it, with what each setting means. Pure."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import fields

from fleetlog.loadtest.profile import Profile, Search


def as_toml(profile: Profile) -> str:
    """The file. `parse` of it gives the same profile."""
    meanings = _meanings(Profile)
    lines = [f"# {profile.runs:,} runs, {profile.points_per_second:,.0f} points a second"]
    for one in fields(Profile):
        if one.name != "searches":
            lines += [f"# {meanings[one.name]}", f"{one.name} = {_value(getattr(profile, one.name), one.default)}"]
    for search in profile.searches:
        lines += ["", "[[searches]]", *_table(search)]
    return "\n".join(lines) + "\n"


def _table(search: Search) -> Iterator[str]:
    for one in fields(Search):
        yield f"{one.name} = {_value(getattr(search, one.name), one.default)}"


def _value(value: object, default: object) -> str:
    if isinstance(default, float) and isinstance(value, int):
        value = float(value)
    # Numbers, texts and lists of texts are written alike in JSON and TOML.
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _meanings(kind: type) -> dict[str, str]:
    """The docstring behind each field."""
    found = re.findall(r'^    (\w+): [^\n]*\n    """(.*?)"""$', inspect.getsource(kind), re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}
