from __future__ import annotations

import resource
import signal
from functools import partial
from pathlib import Path

import fleetlog as client
import psutil
import pytest
from fleetlog_core.open_files import MOST

from tests.deploy.processes import WITHOUT_CHDB, WITHOUT_SERVER, Up, fleetlog, running, up
from tests.deploy.streaming import Training
from tests.ports import free_port
from tests.waiting import reached

STEPS = 2_000


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_one_server_over_its_life(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    with up(data, "--port", str(port)) as first:
        assert first.ready == {
            "target": f"127.0.0.1:{port}", "data": str(data), "logs": str(data / "logs" / "fleetlog.log"),
            "pid": first.process.pid,
        }  # fmt: skip
        assert mode(data) == 0o700
        for name in ("token.key", "webhooks.key"):
            assert (mode(data / name), (data / name).stat().st_size) == (0o600, 32)
        key = (data / "token.key").read_bytes()

        # Others are told who holds the directory and the port, in one line each.
        held = f"is held by process {first.process.pid}: stop it, or use its port\n"
        again, elsewhere, replayed, verified, doctor = fleetlog(
            ("up", "--data", data, "--port", "0"),
            ("up", "--data", tmp_path / "other", "--port", str(port)),
            ("replay", "--data", data),
            ("replay", "--verify", "--data", data),
            ("doctor", "--data", data, "--target", first.target),
        )
        assert (again.code, again.out, again.err) == (1, "", f"fleetlog: the log {held}")
        assert (elsewhere.code, elsewhere.out, elsewhere.err) == (
            1, "", f"fleetlog: 127.0.0.1:{port} is taken: give another --port, or stop what listens there\n",
        )  # fmt: skip
        assert (replayed.code, replayed.err) == (1, f"fleetlog: the log {held}")
        assert (verified.code, verified.err) == (1, f"fleetlog: the log {held}")
        assert doctor.code == 0, doctor.out
        assert f"✓ data holder: process {first.process.pid}\n" in doctor.out
        assert f"✓ server: {first.target} answers; 1 experiment\n" in doctor.out

        # It stops while a run still has its stream open, and all that was acknowledged is there afterwards.
        finished = client.start_run("life", "finished", target=first.target)
        open_ = client.start_run("life", "open", target=first.target)
        for step in range(STEPS):
            finished.log({"x": float(step)}, step=step)
            open_.log({"x": float(step)}, step=step)
        finished.finish(timeout=60)
        open_.flush(60)
        assert (first.stop(signal.SIGTERM), first.err) == (0, "")

    with up(data, "--port", str(port)) as second:
        assert (data / "token.key").read_bytes() == key
        open_.finish(timeout=60)
        reader = client.Client(second.target)
        assert {run.name: run.state for run in reader.search_runs(experiments=["life"])} == {
            "finished": "FINISHED", "open": "FINISHED",
        }  # fmt: skip
        for run in (finished, open_):
            assert reader.read_metric(run.id, "x").steps.tolist() == list(range(STEPS))
        assert (second.stop(signal.SIGINT), second.err) == (0, "")
    (verify,) = fleetlog(("replay", "--verify", "--data", data))
    assert verify.code == 0, verify.out + verify.err


def test_what_it_says_to_people_and_beyond_loopback(tmp_path: Path) -> None:
    data = tmp_path / "a [bold]name"
    data.mkdir()
    (data / "token.key").touch()  # a crash between making the file and writing it
    with up(data, "--port", "0", "--host", "0.0.0.0", "--insecure") as server:
        assert (data / "token.key").stat().st_size == 32
        assert str(server.ready["data"]) == str(data)
        assert server.stop(signal.SIGTERM) == 0
        assert server.err == f"fleetlog: whoever reaches {server.target} can read and write everything\n"


def test_a_start_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "corrupt" / "log").mkdir(parents=True)
    (tmp_path / "corrupt" / "log" / "events.sqlite").write_text("this is no database, " * 100)
    file, below, corrupt, host, foreign, high, low, word = fleetlog(
        ("up", "--port", "0", "--data", tmp_path / "file"),
        ("up", "--port", "0", "--data", tmp_path / "file" / "x"),
        ("up", "--port", "0", "--data", tmp_path / "corrupt"),
        ("up", "--port", "0", "--data", tmp_path / "host", "--host", "nowhere.invalid", "--insecure"),
        ("up", "--port", "0", "--data", tmp_path / "host2", "--host", "192.0.2.1", "--insecure"),
        ("up", "--port", "65536", "--data", tmp_path / "high"),
        ("up", "--port", "-1", "--data", tmp_path / "low"),
        ("up", "--prot", "1"),
    )
    (exposed,) = fleetlog(("up", "--port", "0", "--data", tmp_path / "exposed", "--host", "0.0.0.0"))
    assert (exposed.code, exposed.out) == (2, "")
    assert "server.host = 0.0.0.0, beyond this machine, wants to know who may do what" in exposed.err
    assert "--insecure (server.insecure)" in exposed.err
    for ended in (file, below, corrupt, host, foreign):
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.count("\n") == 1, ended.err
        assert ended.err.startswith("fleetlog: ")
    assert "give another --data" in file.err
    assert "give another --data" in below.err
    assert f"{tmp_path / 'corrupt'} can't be served: file is not a database" in corrupt.err
    assert "Traceback" in (tmp_path / "corrupt" / "logs" / "fleetlog.log").read_text()
    assert "nowhere.invalid is no address of this machine: give another --host" in host.err
    assert "192.0.2.1 is no address of this machine" in foreign.err
    for ended in (high, low, word):
        assert (ended.code, ended.out) == (2, "")
        assert "Traceback" not in ended.err
    assert "65535" in high.err
    assert "--port" in word.err


@pytest.mark.parametrize("command", ["up", "replay"])
def test_without_the_servers_packages(command: str, tmp_path: Path) -> None:
    missing, version = fleetlog((command, "--data", tmp_path / "data"), ("version",), command=WITHOUT_SERVER)
    assert missing.code == 1
    assert missing.err.startswith("fleetlog: this needs the server's packages: pip install 'fleetlog[server]'")
    assert missing.err.count("\n") == 1
    assert (version.code, version.out.strip()) == (0, client.__version__)
    assert not (tmp_path / "data").exists()


def test_without_chdb_alone(tmp_path: Path) -> None:
    up_, serve = fleetlog(("up", "--data", tmp_path / "data", "--port", "0"), ("serve", "query"), command=WITHOUT_CHDB)
    assert up_.code == 1
    assert up_.err.startswith("fleetlog: this needs the server's packages: pip install 'fleetlog[server]'")
    assert up_.err.count("\n") == 1
    assert serve.code == 2, "it asks for settings, not for chDB"


def test_writers_whose_connections_grow_old_lose_nothing(tmp_path: Path) -> None:
    aging = {"FLEETLOG_SERVER_CONNECTION_AGE_SECONDS": "2"}
    with running("up", "--data", str(tmp_path / "data"), "--port", "0", environment=aging) as server:
        seen: set[int] = set()

        def connected(times: int) -> bool:
            seen.update(client_ports(server))
            return len(seen) >= times

        with Training(client.start_run("aging", target=server.target)) as training:
            for times in (1, 2, 3):
                reached(partial(connected, times), closely=True)
                training.goes_on()
        training.check(client.Client(server.target))
        assert server.stop(signal.SIGTERM) == 0


def test_a_server_takes_as_many_connections_as_the_system_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        # It inherits what systems give; this process may have many files open by now.
        resource.setrlimit(resource.RLIMIT_NOFILE, (256 + psutil.Process().num_fds(), hard))
        with up(tmp_path / "data", "--port", "0") as server:
            assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[0] == min(hard, MOST)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def client_ports(server: Up) -> set[int]:
    """Ports of the clients that are connected to it."""
    own = int(server.target.rpartition(":")[2])
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return {one.raddr.port for one in connections if one.raddr and one.laddr.port == own}
