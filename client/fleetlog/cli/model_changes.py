"""fleetlog models: register, promote, alias, request, approve, reject, comment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from fleetlog._views.models import Approval, ModelVersion
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, print_rows
from fleetlog.client import Client

Name = Annotated[str, typer.Argument(help="Name of the model.")]
Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
User = Annotated[str | None, typer.Option(help="Who asks; left out: you.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why.")]
Archive = Annotated[bool, typer.Option("--archive", help="The others of the stage become Archived with it.")]


class StageName(StrEnum):
    """A stage."""

    none = "None"
    staging = "Staging"
    production = "Production"
    archived = "Archived"


def register(
    name: Name,
    run: Annotated[str | None, typer.Option(help="The run that it is of: 32 hexadecimal digits.")] = None,
    path: Annotated[str, typer.Option(help="What of the run's artifacts it is; left out: all of them.")] = "",
    source: Annotated[
        str, typer.Option(help="Where its files are, in place of a run: runs:/RUN_ID/PATH or a URI.")
    ] = "",
    alias: Annotated[list[str] | None, typer.Option(help="Alias that names it from now on; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="KEY=TEXT; may be repeated.")] = None,
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    user: User = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Make the next version of a model, and the model when it is not there.

    Example: fleetlog models register gpt2 --run 0190a3b4c5d67e8f9a0b1c2d3e4f5061 --path model --alias champion
    """
    if run is None and not source:
        raise typer.BadParameter("say of which run it is, or where its files are", param_hint="--run, --source")
    made = Client(target, namespace).register_model(
        name, run=run, artifact_path=path, source=source, aliases=alias or (), tags=_tags(tag or []),
        description=description, user=user,
    )  # fmt: skip
    _print_version(made, as_json)


def promote(
    name: Name,
    version: Version,
    stage: Annotated[StageName, typer.Option(help="Where to.")] = StageName.production,
    archive: Archive = False,
    user: User = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Move a version to a stage.

    Example: fleetlog models promote gpt2 3 --stage Production --archive
    """
    moved = Client(target, namespace).transition(name, version, stage.value, archive_existing=archive, user=user)
    _print_version(moved, as_json)


def alias(
    name: Name,
    alias: Annotated[str, typer.Argument(help="Such as champion.")],
    version: Annotated[int | None, typer.Argument(min=1, help="Number of the version that it names.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove the alias.")] = False,
    user: User = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Let an alias name a version, or remove it.

    Example: fleetlog models alias gpt2 champion 3
    """
    if (version is None) != delete:
        raise typer.BadParameter("give a version, or --delete", param_hint="VERSION")
    client = Client(target, namespace)
    if version is None:
        model = client.delete_alias(name, alias, user=user)
    else:
        model = client.set_alias(name, alias, version, user=user)
    if as_json:
        print_json({"name": model.name, "aliases": model.aliases})
    else:
        print_rows(["alias", "version"], list(model.aliases.items()))


def request(
    name: Name,
    version: Version,
    stage: Annotated[StageName | None, typer.Option(help="The stage that it is to move to.")] = None,
    alias: Annotated[str | None, typer.Option(help="Or the alias that is to name it.")] = None,
    archive: Archive = False,
    comment: Comment = "",
    user: User = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Ask that a version moves to a stage, or that an alias names it. It happens when somebody approves it.

    Example: fleetlog models request gpt2 3 --stage Production -m "better on all seeds"
    """
    if (stage is None) == (alias is None):
        raise typer.BadParameter("give a stage or an alias", param_hint="--stage, --alias")
    client = Client(target, namespace)
    if stage is not None:
        asked = client.request_transition(
            name, version, stage.value, archive_existing=archive, comment=comment, user=user
        )
    else:
        asked = client.request_alias(name, alias or "", version, comment=comment, user=user)
    _print_approval(asked, as_json)


def approve(
    name: Name,
    number: Annotated[int, typer.Argument(min=1, help="Number of the approval.")],
    comment: Comment = "",
    user: User = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Approve what was asked for: it is done with this.

    Example: fleetlog models approve gpt2 1 -m "checked"
    """
    _print_approval(Client(target, namespace).approve(name, number, comment=comment, user=user), as_json)


def reject(
    name: Name,
    number: Annotated[int, typer.Argument(min=1, help="Number of the approval.")],
    comment: Comment = "",
    user: User = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Reject what was asked for.

    Example: fleetlog models reject gpt2 1 -m "too slow"
    """
    _print_approval(Client(target, namespace).reject(name, number, comment=comment, user=user), as_json)


def comment(
    name: Name,
    text: Annotated[str, typer.Argument(help="1 to 10,000 characters.")],
    version: Annotated[int | None, typer.Option(min=1, help="Of this version; left out: of the model.")] = None,
    user: User = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Comment on a model or a version.

    Example: fleetlog models comment gpt2 "the one of the paper" --version 3
    """
    said = Client(target, namespace).add_model_comment(name, text, version=version, user=user)
    if as_json:
        print_json(vars(said))
    else:
        print_rows(["version", "user", "text"], [(said.version or None, said.user, said.text)])


def _tags(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        key, equals, text = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r} is not KEY=TEXT", param_hint="--tag")
        found[key] = text
    return found


def _print_version(version: ModelVersion, as_json: bool) -> None:
    if as_json:
        print_json({"name": version.name, "version": version.version, "stage": version.stage,
                    "aliases": list(version.aliases), "run_id": version.run_id, "source": version.source})  # fmt: skip
        return
    print_rows(
        ["name", "version", "stage", "aliases"],
        [(version.name, version.version, version.stage, ", ".join(version.aliases))],
    )


def _print_approval(approval: Approval, as_json: bool) -> None:
    if as_json:
        print_json(vars(approval))
        return
    what = approval.stage or f"@{approval.alias}"
    print_rows(["number", "version", "to", "state"], [(approval.number, approval.version, what, approval.state)])
