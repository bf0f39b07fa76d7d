from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest
from fleetlog_query.web.bundle import load_bundle
from fleetlog_query.web.failures import Failure
from fleetlog_query.web.pages import Pages
from starlette.types import Message, Scope

SCRIPT = b"console.log(1)\n" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_bytes(b'<script type="module" src="/v/__HASH__/app.js"></script>')
    (tmp_path / "app.js").write_bytes(SCRIPT)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "a.woff2").write_bytes(b"font" * 1000)
    (tmp_path / "notes.secret").write_bytes(b"no")
    return tmp_path


def asked(
    pages: Pages, path: str, client: str = "127.0.0.1", encoding: str = "gzip, br"
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    headers = [(b"accept-encoding", encoding.encode())]
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "client": (client, 1)}
    asyncio.run(pages(scope, receive, send))
    named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], named, b"".join(message["body"] for message in sent[1:])


def test_the_page_names_the_hash_of_its_files_which_are_kept_for_ever(folder: Path) -> None:
    bundle = load_bundle(folder)
    pages = Pages(bundle)
    for path in ("/", "/n/default/e/1/runs"):
        status, headers, body = asked(pages, path)
        assert (status, headers["cache-control"]) == (200, "no-store")
        assert f"/v/{bundle.version}/app.js".encode() in body
    status, headers, body = asked(pages, f"/v/{bundle.version}/app.js")
    assert (status, body, headers["content-type"]) == (200, SCRIPT, "text/javascript; charset=utf-8")
    assert "immutable" in headers["cache-control"]
    (folder / "app.js").write_bytes(b"other")
    assert load_bundle(folder).version != bundle.version


def test_files_are_compressed_for_other_machines_alone(folder: Path) -> None:
    bundle = load_bundle(folder)
    pages, path = Pages(bundle), f"/v/{bundle.version}/app.js"
    assert "content-encoding" not in asked(pages, path)[1]
    assert "content-encoding" not in asked(pages, path, "10.1.2.3", "identity")[1]
    status, headers, body = asked(pages, path, "10.1.2.3")
    assert (status, headers["content-encoding"], gzip.decompress(body)) == (200, "gzip", SCRIPT)
    assert "content-encoding" not in asked(pages, f"/v/{bundle.version}/fonts/a.woff2", "10.1.2.3")[1]


@pytest.mark.parametrize(
    "path", ["/v/{v}/notes.secret", "/v/{v}/../index.html", "/v/other/app.js", "/v/{v}", "/x", "/app.js"]
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    bundle = load_bundle(folder)
    with pytest.raises(Failure) as caught:
        asked(Pages(bundle), path.format(v=bundle.version))
    assert (caught.value.http_status, caught.value.reason) == (404, "PATH_UNKNOWN")


def test_where_the_pages_were_not_built_the_page_says_how(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        status, _, body = asked(Pages(load_bundle(folder)), "/")
        assert status == 200
        assert b"make ui" in body
