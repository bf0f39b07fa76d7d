"""Headers that say what a browser may do with what it got."""

from __future__ import annotations

from collections.abc import Sequence

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
"""For all that is this server's own."""
ARTIFACT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
"""For what runs carry: it may look like a page, and may do nothing."""
Headers = Sequence[tuple[str, str]]
_EVERYWHERE = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
PAGE: Headers = (("content-security-policy", PAGE_POLICY), *_EVERYWHERE)
ARTIFACT: Headers = (("content-security-policy", ARTIFACT_POLICY), *_EVERYWHERE)
