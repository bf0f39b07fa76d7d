"""fleetlog runs: finish, rename, delete, restore, tag: changes from outside of the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from fleetlog_core.printable import printable

from fleetlog._runs.open_run import EndState
from fleetlog.cli.context import AsJson, Namespace, RunId, RunIds, Target
from fleetlog.cli.output import print_json
from fleetlog.cli.run_ids import find_run, find_runs
from fleetlog.client import Client
from fleetlog.errors import NotFound


class End(StrEnum):
    """How a run ends."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


def finish(
    run_ids: RunIds,
    state: Annotated[End, typer.Option(case_sensitive=False, help="How they ended.")] = End.FINISHED,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """End runs whose training can't say it any more.

    Example: fleetlog runs finish 0190a3b4 --state KILLED
    """
    word: EndState = state.value
    _all(
        run_ids, target, namespace, as_json, f"ended as {word}", lambda client, ids: client.update_runs(ids, state=word)
    )


def rename(
    run_id: RunId,
    name: Annotated[str, typer.Argument(help="1 to 500 characters.")],
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Change the display name of a run.

    Example: fleetlog runs rename 0190a3b4 "baseline, lr 2e-5"
    """
    client = Client(target, namespace)
    whole = find_run(client, run_id)
    client.update_run(whole, name=name)
    _say([whole], as_json, "renamed")


def delete(run_ids: RunIds, target: Target = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Hide runs from searches. Their data stays: `fleetlog runs restore` brings them back.

    Example: fleetlog runs delete 0190a3b4 0190a3b5
    """
    _all(run_ids, target, namespace, as_json, "deleted", lambda client, ids: client.update_runs(ids, deleted=True))


def restore(run_ids: RunIds, target: Target = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Bring deleted runs back.

    Example: fleetlog runs restore 0190a3b4
    """
    _all(run_ids, target, namespace, as_json, "restored", lambda client, ids: client.update_runs(ids, deleted=False))


def tag(
    run_id: RunId,
    tags: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, as many as you like.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Key to remove; may be repeated.")] = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Set tags of a run, or remove them.

    For example:

    fleetlog runs tag 0190a3b4 team=a stage=reviewed

    fleetlog runs tag 0190a3b4 --remove stage
    """
    pairs = {}
    for one in tags or ():
        key, equals, value = one.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{one!r} is not KEY=VALUE", param_hint="TAGS")
        pairs[key] = value
    if not pairs and not remove:
        raise typer.BadParameter("give KEY=VALUE, or --remove KEY", param_hint="TAGS")
    client = Client(target, namespace)
    whole = find_run(client, run_id)
    client.update_run(whole, tags=pairs, deleted_tags=remove or ())
    if as_json:
        print_json({"run_id": whole, "tags": client.get_run(whole).tags})
    else:
        print(f"{whole} tagged")


def _all(
    texts: Sequence[str],
    target: str | None,
    namespace: str | None,
    as_json: bool,
    done: str,
    change: Callable[[Client, list[str]], list[str]],
) -> None:
    """Do it to all runs at once. All are found before."""
    client = Client(target, namespace)
    whole = list(dict.fromkeys(find_runs(client, texts)))
    missing = change(client, whole)
    _say([one for one in whole if one not in missing], as_json, done)
    if missing:
        raise NotFound("RUN_NOT_FOUND", f"there is no run {missing[0]} in this namespace")


def _say(run_ids: Sequence[str], as_json: bool, done: str) -> None:
    """What was done to each."""
    if as_json:
        print_json([{"run_id": one} for one in run_ids])
        return
    for one in run_ids:
        print(printable(f"{one} {done}"))
