"""Images, histograms, texts, sounds and the rest of a run's events, as files."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from fleetlog.importers.jsonl import json_lines
from fleetlog.importers.paths import PathsInUse, artifact_path
from fleetlog.importers.source import SourceFile
from fleetlog.importers.tensorboard import events, hparams
from fleetlog.importers.tensorboard.run_files import Other, RunFiles
from fleetlog.importers.times import millisecond_of
from fleetlog.importers.unread import UnreadItems

_SUFFIXES = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"RIFF", "wav"), (b"BM", "bmp"))
_NO_PLACE = "{} have no place in a run: how TensorBoard lays out its pages"


@dataclass(slots=True)
class _Histograms:
    """Records of the histograms of one tag."""

    places: dict[Path, array[int]] = field(default_factory=dict)


def files_of(run: RunFiles, unread: UnreadItems) -> Iterator[SourceFile]:
    """Files of a run: one for each image, text and sound, and one for the histograms of each tag."""
    paths = PathsInUse()
    plugins: dict[str, str] = {}
    histograms: dict[str, _Histograms] = {}
    for other in run.others():
        yield from _whole(other, paths, unread)
        for number, value in enumerate(other.event.summary.value):
            tag = other.file.prefix + events.tag_of(value)
            plugin = plugins.setdefault(tag, events.plugin_of(value)) or events.plugin_of(value)
            if events.scalar_of(value) is not None:
                continue
            if value.HasField("histo") or plugin == "histograms":
                found = histograms.setdefault(tag, _Histograms()).places.setdefault(other.file.path, array("q"))
                found.extend((other.offset, other.length, number))
            elif plugin == hparams.PLUGIN:
                if events.tag_of(value) == hparams.LAYOUT_TAG:
                    unread.count(str(other.file.path), _NO_PLACE.format("hyperparameters' columns"))
            else:
                yield from _files_of_value(other, number, value, tag, plugin, paths)
    for tag, places in histograms.items():
        yield SourceFile(
            paths.unused(artifact_path("histograms", f"{tag}.jsonl")), json_lines(partial(_histograms_of, places))
        )


def _whole(other: Other, paths: PathsInUse, unread: UnreadItems) -> Iterator[SourceFile]:
    """Files of an event that has no summary."""
    event, prefix = other.event, other.file.prefix
    if event.HasField("graph_def"):
        yield _file(other, paths, artifact_path(f"{prefix}graph.pb"), lambda event: event.graph_def)
    if event.HasField("meta_graph_def"):
        yield _file(other, paths, artifact_path(f"{prefix}meta_graph.pb"), lambda event: event.meta_graph_def)
    if event.HasField("tagged_run_metadata"):
        tag = event.tagged_run_metadata.tag.decode("utf-8", "replace")
        path = artifact_path(f"{prefix}run_metadata", f"{tag}.pb")
        yield _file(other, paths, path, lambda event: event.tagged_run_metadata.run_metadata)
    if event.HasField("log_message"):
        unread.count(str(other.file.path), "log messages have no place in a run")


def _files_of_value(
    other: Other, number: int, value: Any, tag: str, plugin: str, paths: PathsInUse
) -> Iterator[SourceFile]:
    step = other.event.step

    def read(take: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        return lambda event: take(event.summary.value[number])

    if value.HasField("image"):
        path = artifact_path("images", tag, f"{step}.{_suffix(value.image.encoded_image_string)}")
        yield _file(other, paths, path, read(lambda value: bytes(value.image.encoded_image_string)))
    elif value.HasField("audio"):
        path = artifact_path("audio", tag, f"{step}.{_suffix(value.audio.encoded_audio_string)}")
        yield _file(other, paths, path, read(lambda value: bytes(value.audio.encoded_audio_string)))
    elif plugin in ("images", "audio") and events.texts_of(value.tensor):
        contents = events.texts_of(value.tensor)
        # An image's first two texts are its width and its height; sounds come in pairs with a label.
        for place in range(2, len(contents)) if plugin == "images" else range(0, len(contents), 2):
            path = artifact_path(plugin, tag, f"{step}.{_suffix(contents[place])}")
            yield _file(other, paths, path, read(partial(_text_at, place)))
    elif plugin == "text" and value.HasField("tensor"):
        path = artifact_path("text", tag, f"{step}.md")
        yield _file(other, paths, path, read(lambda value: b"\n".join(events.texts_of(value.tensor))))
    else:
        path = artifact_path("other", plugin or "unnamed", tag, f"{step}.pb")
        yield _file(other, paths, path, read(lambda value: bytes(value.SerializeToString())))


def _text_at(place: int, value: Any) -> bytes:
    return events.texts_of(value.tensor)[place]


def _file(other: Other, paths: PathsInUse, path: str, take: Callable[[Any], bytes]) -> SourceFile:
    file, offset, length = other.file.path, other.offset, other.length

    def opened() -> BinaryIO:
        return BytesIO(take(_event_at(file, offset, length)))

    return SourceFile(paths.unused(path), opened, len(take(other.event)))


def _event_at(path: Path, offset: int, length: int) -> Any:
    with path.open("rb") as file:
        file.seek(offset)
        event = events.event_of(file.read(length))
    if event is None:
        raise OSError(f"{path.name} has changed while it was read")
    return event


def _histograms_of(histograms: _Histograms) -> Iterator[Mapping[str, Any]]:
    """Histograms of one tag, with step and time."""
    for path, places in histograms.places.items():
        for offset, length, number in zip(places[::3], places[1::3], places[2::3], strict=True):
            event = _event_at(path, offset, length)
            at = {"step": event.step, "time": millisecond_of(event.wall_time)}
            yield {**at, **_histogram(event.summary.value[number])}


def _histogram(value: Any) -> dict[str, Any]:
    """Counts and edges of a histogram, as the event has them."""
    if value.HasField("histo"):
        histo = value.histo
        told = {name: getattr(histo, name) for name in ("min", "max", "num", "sum", "sum_squares")}
        return {**told, "right_edges": list(histo.bucket_limit), "counts": list(histo.bucket)}
    buckets = events.numbers_of(value.tensor)
    if buckets is None or buckets.ndim != 2 or buckets.shape[1] != 3:
        return {"left_edges": [], "right_edges": [], "counts": []}
    left, right, counts = buckets.T.tolist()
    return {"left_edges": left, "right_edges": right, "counts": counts}


def _suffix(content: bytes) -> str:
    return next((suffix for magic, suffix in _SUFFIXES if content.startswith(magic)), "bin")
