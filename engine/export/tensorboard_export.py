"""Exports a run as an event file of TensorBoard, with the records that the live writer has for the same events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import StorageError
from engine.export.run_export import Thinned
from engine.export.trackers.event_file import SUFFIX, RecordEncoder, event_files, new_event_file, require_tensorboard
from engine.export.trackers.records import Record, RecordStream, remaining_records
from engine.protocol.events import Event, RunStarted, StepsThinned
from engine.storage.files import is_locked, new_file, storage_errors
from engine.storage.folders import RunFolder
from engine.storage.journal import SkippedLines, read_journal


def export_to_tensorboard(
    run: RunFolder, directory: Path, thinned: Thinned, skipped: SkippedLines, *, may_replace: bool
) -> Path:
    """Write an event file to the folder of the run in `directory`; return its path.

    If it `may_replace` those of this program, it takes their place. Counts in `thinned` and `skipped`. Raises
    `FileExistsError` where there are event files that it must not replace, `ConfigError` without the package
    `tensorboard`, `StorageError` where the folder can't be written, or the event files may be those that the run is
    writing.
    """
    require_tensorboard()
    folder = directory / run.name
    existing = event_files(folder)
    if existing and not may_replace:
        raise FileExistsError(folder)
    replaced = [path for path in existing if path.name.endswith(SUFFIX)]
    if replaced and is_locked(run.journal_path):
        raise StorageError(
            f"The run {run.name} is active and may be writing to {folder}.", "Stop it first, or choose another folder."
        )
    encoder = RecordEncoder()
    records = remaining_records(_records(run, Thinned(), SkippedLines()), _records(run, thinned, skipped))
    try:
        with storage_errors(folder):
            with new_file(folder / "export", mode=0o666) as new:  # TensorBoard also reads unfinished `tfevents` files
                path = new.path = new_event_file(folder)
                new.write(encoder.header())
                for record in records:
                    new.write(encoder.encode(record))
            for each in replaced:
                each.unlink()
    except StorageError as error:
        raise StorageError(error.message, "Choose another folder.") from error
    return path


def _records(run: RunFolder, thinned: Thinned, skipped: SkippedLines) -> Iterator[Record]:
    """Yield all records of a journal. Raises `OSError`."""
    stream = RecordStream()
    for event, wall_time in _timed_events(run, skipped):
        if isinstance(event, StepsThinned):
            thinned.add(event)
        yield from stream.records_of(event, wall_time)
    yield from stream.finish()


def _timed_events(run: RunFolder, skipped: SkippedLines) -> Iterator[tuple[Event, float]]:
    """Yield the events of a journal with their times in seconds since 1970, without pauses."""
    began = 0.0  # only an edited journal has events before the first `RunStarted`
    for event in read_journal(run.journal_path, skipped):
        if isinstance(event, RunStarted):
            began = event.started_at - event.elapsed_seconds
        yield event, began + event.elapsed_seconds
