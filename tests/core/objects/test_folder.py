"""The folder of objects, when something else stands where an object was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fleetlog_core.objects.folder import FolderStore

from tests.core.objects.stores import name_of

DATA = b"weights"


@pytest.mark.parametrize(
    "kind", ["link", "dangling", "circle", "fifo", "folder", "folder of links", "namespace of links"]
)
def test_what_is_no_object_is_never_read_as_one_and_a_put_mends_it(kind: str, tmp_path: Path) -> None:
    store, name = FolderStore(tmp_path / "objects"), name_of(DATA)
    secret = tmp_path / "secret"
    secret.write_bytes(b"private")
    store.put(name, len(DATA), [DATA])
    path = tmp_path / "objects" / name.key()
    path.unlink()
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "circle":
        path.symlink_to(path.name)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        parent = path.parent if kind == "folder of links" else path.parent.parent
        secret.rename(tmp_path / path.name)
        path.parent.rmdir()
        if parent != path.parent:
            parent.rmdir()
            (tmp_path / "elsewhere" / path.parent.name).mkdir(parents=True)
            (tmp_path / path.name).rename(tmp_path / "elsewhere" / path.parent.name / path.name)
        parent.symlink_to(tmp_path if parent == path.parent else tmp_path / "elsewhere")
    assert store.size(name) is None
    with pytest.raises(KeyError):
        store.read(name)
    if kind in ("link", "dangling", "circle", "fifo"):
        assert not list(store.listed())
        store.put(name, len(DATA), [DATA])
        assert b"".join(store.read(name)) == DATA
        assert secret.read_bytes() == b"private"
