"""`fleetlog topics`: the topics of a log in Kafka."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fleetlog_deploy.settings.kafka import kafka_variables
from fleetlog_deploy.settings.load import SettingsRefused, load

app = typer.Typer(no_args_is_help=True, help="The topics of a log in Kafka.")

_UNITS = {"h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_PERIOD = re.compile(r"([1-9][0-9]{0,5})([hdw])")

KAFKA_HELP = (
    "kafka://host:port,…/prefix; log.url of the settings when it is not given. Who we are to the brokers stands under"
    " [kafka] there, or in FLEETLOG_KAFKA_PROTOCOL, _MECHANISM, _USERNAME, _PASSWORD."
)


@app.command()
def create(
    kafka: Annotated[str | None, typer.Argument(help=KAFKA_HELP, envvar="FLEETLOG_KAFKA", show_default=False)] = None,
    partitions: Annotated[
        int, typer.Option(min=1, max=10_000, help="Of the events topic, for good: a run stays in its partition.")
    ] = 16,
    replication: Annotated[int, typer.Option(min=1, max=32_767, help="Brokers that keep each record.")] = 3,
    retention: Annotated[str, typer.Option(help="forever, or a time such as 12h, 90d or 52w.")] = "forever",
    may_lose_events: Annotated[
        bool,
        typer.Option("--may-lose-events", help="Needed for a retention that ends: no rebuild goes back beyond it."),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", envvar="FLEETLOG_CONFIG", help="A TOML file of settings.", show_default=False),
    ] = None,
) -> None:
    """Create the topics of a log where they are missing, and check those that are there.

    Example: fleetlog topics create kafka://broker-1:9092,broker-2:9092/fleetlog --partitions 64
    """
    millis = retention_millis(retention)
    try:
        from fleetlog_core.log.kafka.topics import TopicRefused, create_topics
        from fleetlog_core.log.kafka.url import settings_of
        from fleetlog_core.log.port import LogUnavailable
    except ImportError as error:
        raise SystemExit(
            f"fleetlog: this needs the server's packages: pip install 'fleetlog[server]' ({error})"
        ) from None
    if millis != -1 and not may_lose_events:
        raise typer.BadParameter(f"{retention} loses events after that time: add --may-lose-events, or leave it")
    try:
        said = load(config).settings
    except SettingsRefused as error:
        for complaint in error.complaints:
            print(f"fleetlog: {complaint}", file=sys.stderr)
        raise typer.Exit(2) from None
    url = kafka or said.log.url
    if not url:
        raise typer.BadParameter("no log is named: give its kafka://host:port/prefix, or set log.url in the settings")
    try:
        settings = replace(
            settings_of(url, kafka_variables(said)),
            partitions=partitions, replication=replication, may_lose_events=may_lose_events, retention_millis=millis,
        )  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        counts = create_topics(settings)
    except (TopicRefused, LogUnavailable) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    for topic, count in counts.items():
        print(f"{settings.topic(topic)}\t{count} partition{'s' if count > 1 else ''}")


def retention_millis(text: str) -> int:
    """What `--retention` says, in milliseconds; -1 = for ever. BadParameter."""
    if text == "forever":
        return -1
    found = _PERIOD.fullmatch(text)
    if not found:
        raise typer.BadParameter(f"retention {text[:20]!r}: forever, or a time such as 12h, 90d or 52w")
    return int(found[1]) * _UNITS[found[2]]
