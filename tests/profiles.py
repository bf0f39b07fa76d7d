"""How many examples Hypothesis tries: HYPOTHESIS_PROFILE is `dev`, the default, or `ci`, which tries four times more.

Tests that say how many say it for `ci`, by `examples`.
"""

from __future__ import annotations

import os

from hypothesis import settings

CI, DEV = 100, 25
settings.register_profile("ci", max_examples=CI, deadline=None)
settings.register_profile("dev", max_examples=DEV, deadline=None)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
settings.load_profile(PROFILE)
FACTOR = settings.get_profile(PROFILE).max_examples / DEV
"""How many times the examples of `dev` there are."""


def examples(count: int) -> int:
    """As many as the profile tries where `ci` tries so many; one at least."""
    return max(1, round(count * FACTOR * DEV / CI))
