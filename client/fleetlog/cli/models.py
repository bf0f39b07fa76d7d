"""fleetlog models: ls, show, approvals, history, diff; what changes models is beside it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fleetlog._views.models import Model, ModelVersion
from fleetlog.cli import model_changes
from fleetlog.cli.context import AsJson, AsOf, Namespace, Target
from fleetlog.cli.output import on_terminal, print_json, print_rows, say
from fleetlog.client import Client

Name = Annotated[str, typer.Argument(help="Name of the model.")]
Number = Annotated[int | None, typer.Argument(min=1, help="Number of the version; left out: of the model and all.")]
app = typer.Typer(no_args_is_help=True, help="Registered models: versions, stages, aliases, approvals, history.")
for _command in (
    model_changes.register, model_changes.promote, model_changes.alias, model_changes.request, model_changes.approve,
    model_changes.reject, model_changes.comment,
):  # fmt: skip
    app.command()(_command)


@app.command("ls")
def list_(
    name_contains: Annotated[str, typer.Argument(help="Only names that contain this; empty = all.")] = "",
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List models.

    Example: fleetlog models ls gpt
    """
    found = Client(target, namespace).models(name_contains, as_of=as_of)
    if as_json:
        print_json([document(one) for one in found])
        return
    rows = [
        (
            one.name,
            one.last_version,
            _of_stage(one, "Production"),
            _of_stage(one, "Staging"),
            _aliases(one),
            one.updated,
        )
        for one in found
    ]
    if not rows and on_terminal():
        say("no model")
        return
    print_rows(["name", "versions", "production", "staging", "aliases", "updated"], rows)


@app.command()
def show(
    name: Name,
    version: Number = None,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show a model with its versions and comments, or one version.

    Example: fleetlog models show gpt2 3
    """
    client = Client(target, namespace)
    if version is not None:
        one = client.get_version(name, version, as_of=as_of)
        comments = client.model_comments(name, version, as_of=as_of)
        if as_json:
            print_json({**version_document(one), "comments": [vars(comment) for comment in comments]})
            return
        rows = [*fields(one).items(), *((f"comment of {comment.user}", comment.text) for comment in comments)]
        print_rows(["what", "value"], rows, fold=True, titles=["", ""])
        return
    model, versions = client.get_model(name, as_of=as_of), client.versions(name, as_of=as_of)
    comments = client.model_comments(name, as_of=as_of)
    if as_json:
        print_json(
            {
                **document(model),
                "versions": [version_document(one) for one in versions],
                "comments": [vars(comment) for comment in comments],
            }
        )
        return
    if on_terminal():
        say(f"{model.name}: {model.description}" if model.description else model.name)
    ordered = sorted(versions, key=lambda one: -one.version)
    print_rows(
        ["version", "stage", "aliases", "run_id", "created", "created_by", "source"],
        [
            (one.version, one.stage, ", ".join(one.aliases), one.run_id, one.created, one.created_by, one.source)
            for one in ordered
        ],
    )


@app.command()
def approvals(
    name: Name,
    everything: Annotated[bool, typer.Option("--all", help="Those that were decided as well.")] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for an approval.

    Example: fleetlog models approvals gpt2
    """
    found = Client(target, namespace).approvals(name, None if everything else "pending")
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_rows(
        ["number", "version", "to", "state", "user", "comment", "created", "decided_by"],
        [
            (one.number, one.version, one.stage or f"@{one.alias}", one.state, one.user, one.comment, one.created,
             one.decided_by)
            for one in found
        ],
    )  # fmt: skip


@app.command()
def history(
    name: Name,
    version: Number = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most, the latest first.")] = 50,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a model: who did what, when, from what to what, by which approval.

    Example: fleetlog models history gpt2
    """
    found = Client(target, namespace).model_history(name, version, limit=limit, as_of=as_of)
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_rows(
        ["time", "user", "action", "version", "subject", "old", "new", "comment", "approval"],
        [
            (one.time, one.user, one.action, one.version or None, one.subject, one.old, one.new, one.comment,
             one.approval or None)
            for one in found
        ],
    )  # fmt: skip


@app.command()
def diff(
    name: Name,
    first: Annotated[int, typer.Argument(min=1, help="Number of a version.")],
    second: Annotated[int, typer.Argument(min=1, help="Number of another.")],
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show in what two versions differ, and their runs.

    Example: fleetlog models diff gpt2 2 3
    """
    client = Client(target, namespace)
    versions = [client.get_version(name, number) for number in (first, second)]
    before, after = (fields(one) for one in versions)
    rows: dict[str, tuple[object, object]] = {
        what: (before.get(what), after.get(what))
        for what in dict.fromkeys([*before, *after])
        if before.get(what) != after.get(what) and what != "version"
    }
    run_ids = [one.run_id for one in versions]
    if all(run_ids) and run_ids[0] != run_ids[1]:
        compared = client.compare(run_ids)
        rows |= {f"run {what}": (values[0], values[1]) for what, values in compared.differences.items()}
    if as_json:
        print_json([{"what": what, "values": list(values)} for what, values in rows.items()])
        return
    if not rows and on_terminal():
        say("they are the same")
        return
    print_rows(["what", str(first), str(second)], [(what, *values) for what, values in rows.items()], fold=True)


def document(model: Model) -> dict[str, Any]:
    """A model for JSON."""
    return {**vars(model), "latest": [version_document(one) for one in model.latest]}


def version_document(version: ModelVersion) -> dict[str, Any]:
    """A version for JSON."""
    choice = version.selection
    return {
        **vars(version),
        "datasets": [vars(one) for one in version.datasets],
        "selection": None if choice is None else {"filter": choice.filter, "objectives": list(choice.objectives)},
    }


def fields(version: ModelVersion) -> dict[str, object]:
    """A version as rows: what it is, and the value; what is not known is left out."""
    choice = version.selection
    rows: dict[str, object] = {
        "version": version.version, "stage": version.stage, "aliases": ", ".join(version.aliases),
        "description": version.description, "source": version.source, "storage_location": version.storage_location,
        "run_id": version.run_id, "artifact_path": version.artifact_path, "git_commit": version.git_commit,
        "selected by": "" if choice is None else "; ".join([choice.filter, *choice.objectives]).strip("; "),
        "created": version.created, "created_by": version.created_by,
    }  # fmt: skip
    rows |= {f"tags.{key}": text for key, text in sorted(version.tags.items())}
    for one in version.datasets:
        rows[f"dataset {one.name}"] = " · ".join(filter(None, [one.context, one.digest]))
    return {what: value for what, value in rows.items() if value != ""}


def _of_stage(model: Model, stage: str) -> int | None:
    return next((one.version for one in model.latest if one.stage == stage), None)


def _aliases(model: Model) -> str:
    return ", ".join(f"{alias}: {number}" for alias, number in model.aliases.items())
