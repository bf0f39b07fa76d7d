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
EXAMPLES = settings.get_profile(PROFILE).max_examples
"""Examples of a test that does not say how many it wants."""


def examples(count: int) -> int:
    """Number of examples that the profile tries where `ci` tries `count`; one at least."""
    return max(1, round(count * EXAMPLES / CI))
