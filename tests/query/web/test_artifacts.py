from __future__ import annotations

import hashlib
from pathlib import Path

import fleetlog
import pytest

from tests.query.web.http import Http

PAGE = b"<!doctype html><script>document.title = 'acted'</script>"
LARGE = bytes(range(256)) * 12_000
FILES = {
    "page.png": PAGE,
    "notes.html": b"only text",
    "dot.bin": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    "empty.txt": b"",
    "model/weights #1 ü.bin": LARGE,
}


@pytest.fixture(scope="module")
def run_id(embedded_target: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("files")
    with fleetlog.start_run("raw", target=embedded_target) as run:
        for name, data in FILES.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            run.log_artifact(path, name)
        run.flush(level="applied")
    return run.id


@pytest.mark.parametrize(
    ("name", "content_type", "disposition"),
    [
        ("page.png", "text/html; charset=utf-8", "inline; filename*=UTF-8''page.png"),
        ("notes.html", "text/plain; charset=utf-8", "inline; filename*=UTF-8''notes.html"),
        ("dot.bin", "image/png", "inline; filename*=UTF-8''dot.bin"),
        ("empty.txt", "text/plain; charset=utf-8", "inline; filename*=UTF-8''empty.txt"),
    ],
)
def test_bytes_come_as_what_they_are_and_can_do_nothing(
    http: Http, run_id: str, name: str, content_type: str, disposition: str
) -> None:
    answer = http.get(f"/raw/default/{run_id}/{name}")
    assert (answer.status, answer.body) == (200, FILES[name])
    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-disposition"] == disposition
    policy = answer.headers["content-security-policy"].split("; ")
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert not any("script" in rule or "allow-" in rule for rule in policy)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_what_a_browser_can_not_show_is_a_file(http: Http, run_id: str) -> None:
    answer = http.get(f"/raw/default/{run_id}/model/weights%20%231%20%C3%BC.bin")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''weights%20%231%20%C3%BC.bin"
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(LARGE).digest()


def test_a_part_is_sent_where_a_part_is_asked_for(http: Http, run_id: str) -> None:
    path = f"/raw/default/{run_id}/model/weights%20%231%20%C3%BC.bin"
    first, last = 1_500_000, 2_900_000
    part = http.get(path, range=f"bytes={first}-{last}")
    assert (part.status, part.headers["content-range"]) == (206, f"bytes {first}-{last}/{len(LARGE)}")
    assert part.body == LARGE[first : last + 1]
    assert http.get(path, range="bytes=-5").body == LARGE[-5:]
    beyond = http.get(path, range=f"bytes={len(LARGE)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(LARGE)}")


def test_what_was_seen_before_is_not_sent_again(http: Http, run_id: str) -> None:
    path = f"/raw/default/{run_id}/dot.bin"
    head = http.ask("HEAD", path)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(FILES["dot.bin"])))
    again = http.get(path, **{"if-none-match": head.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert http.get(path, **{"if-none-match": '"other"'}).status == 200


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/raw/default/{run}/none", 404, "ARTIFACT_NOT_FOUND"),
        ("/raw/elsewhere/{run}/dot.bin", 404, "RUN_NOT_FOUND"),
        ("/raw/default/ab/dot.bin", 400, "INVALID_ID"),
        ("/raw/default/{run}/", 404, "PATH_UNKNOWN"),
        ("/raw/default", 404, "PATH_UNKNOWN"),
        ("/raw/default/{run}/../dot.bin", 400, "ARTIFACT_PATH_INVALID"),
        ("/raw/default/{run}/%2e%2e/dot.bin", 400, "ARTIFACT_PATH_INVALID"),
        ("/raw/default/{run}/dot.bin?subject=model", 404, "LOGGED_MODEL_NOT_FOUND"),
        ("/raw/default/{run}/dot.bin?subject=all", 400, "SUBJECT_INVALID"),
        ("/raw/default/{run}/dot.bin?as_of=yesterday", 400, "AS_OF_INVALID"),
        ("/raw/default/{run}/dot.bin?as_of=1000", 404, "RUN_NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_told_as_an_error(http: Http, run_id: str, path: str, status: int, reason: str) -> None:
    answer = http.get(path.format(run=run_id))
    assert (answer.status, answer.json["reason"]) == (status, reason), answer.body
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
