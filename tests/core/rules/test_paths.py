from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest
from fleetlog_core import limits
from fleetlog_core.rules.paths import check_artifact_path
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.refusals import reason_of, refused

CLIMBING = ["../x", "a/../x", "a/..", "..", ".", "./a", "a//b", "a/", "a/./b"]
ABSOLUTE = ["/etc/passwd", "/", "//host/share/x", "C:/x", "c:x"]
BACKSLASHED = ["..\\x", "a\\b", "\\\\host\\share", "C:\\x"]
CONTROLS = ["a\0b", "a\nb", "\x7f", "a\ud800"]


@pytest.mark.parametrize(
    "path",
    ["model.pt", "a/b/c.txt", "..a", "a..", "...", "a b", "100%.txt", "50%/x", "%zz", "модель.pt", "a%20b", "ab:c",
     "x" * 1_024, "é" * 512, "a%2Fb", "run.tar%252Fx"],
)  # fmt: skip
def test_paths_are_taken(path: str) -> None:
    check_artifact_path(path)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        *((path, "name every part") for path in CLIMBING),
        *((path, "relative to the run") for path in ABSOLUTE),
        *((path, "use forward slashes") for path in BACKSLASHED),
        *((path, "leave it out") for path in CONTROLS),
        ("", "1 to 1,024 bytes"),
        ("x" * 1_025, "1,025 bytes, at most 1,024"),
        ("é" * 513, "1,026 bytes, at most 1,024"),
        ("file:///etc/passwd", "name every part"),
        ("s3://bucket/key", "name every part"),
    ],
)
def test_paths_are_refused(path: str, told: str) -> None:
    error = refused(lambda: check_artifact_path(path, "artifact.path"), "ARTIFACT_PATH_INVALID", "artifact.path", told)
    assert ascii(path)[:50].rstrip("'") in error.message


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("path", ["../x", "a/../x", "/etc/passwd", "..\\x", "a\0b", "C:\\x", "a//b"])
def test_encoding_hides_nothing(path: str, times: int) -> None:
    for safe in ("", "/", "."):
        encoded = path
        for _ in range(times):
            encoded = "".join(c if c in safe else f"%{ord(c):02x}" for c in encoded)
        refused(partial(check_artifact_path, encoded), "ARTIFACT_PATH_INVALID", "path", encoded[:40])


@pytest.mark.parametrize(
    "path", ["%2e%2e%2f", "%2E%2E/x", ".%2e/x", "%252e%252e%252fx", "..%255cx", "%5c%5chost", "%00"]
)
def test_encoded_by_hand(path: str) -> None:
    refused(lambda: check_artifact_path(path), "ARTIFACT_PATH_INVALID", "path", path)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("invoice\u202efdp.exe", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("a/\u200b", "U+200B ZERO WIDTH SPACE"),
        ("a\U000e0041", "TAG LATIN CAPITAL LETTER A"),
        ("invoice%E2%80%AEfdp.exe", "U+202E"),
    ],
)
def test_hidden_characters_are_not_written_and_can_be_read(path: str, told: str) -> None:
    refused(lambda: check_artifact_path(path), "ARTIFACT_PATH_INVALID", "path", told, "leave it out")
    check_artifact_path(path, written=False)


@given(st.text(st.sampled_from("ab./\\%2eEfF5cC0: \n\0é\ud800"), max_size=20) | st.text(max_size=1_100))
def test_a_path_that_is_taken_stays_below_its_folder(path: str) -> None:
    if reason := reason_of(lambda: check_artifact_path(path)):
        assert reason == "ARTIFACT_PATH_INVALID"
        return
    assert len(path.encode()) <= limits.ARTIFACT_PATH_BYTES
    for seen in (path, unquote(path), unquote(unquote(path))):
        pure = PurePosixPath(seen)
        assert not pure.is_absolute()
        assert ".." not in pure.parts
        assert str(pure) == seen, "two paths would be one file"
        assert not set(seen) & set("\\\0\n")
