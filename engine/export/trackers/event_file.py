"""`EventFile`: records in the format of TensorBoard's event files, appended to a file of DIR/<run>.

Uses the protocol buffers and the record format of the package `tensorboard`, not its `EventFileWriter`: that imports
TensorFlow where it is installed, blocks its caller while the disk does, and can't continue after a full disk.
"""

from __future__ import annotations

import errno
import io
import os
import socket
import time
from pathlib import Path
from typing import Any

from engine.errors import ConfigError, StorageError
from engine.export.trackers.records import Record, Sample, Scalars, Settings
from engine.storage.files import write_all

SUFFIX = ".tweetgen"
"""Ends the names of our event files; TensorBoard reads every file with `tfevents` in its name."""
SAMPLES_TAG = "samples"


def require_tensorboard() -> None:
    """Raise `ConfigError` unless the package that writes event files is installed. Imports it, which takes 0.1 s."""
    try:
        from tensorboard.compat.proto import event_pb2  # noqa: F401 - the first of those of `RecordEncoder`
    except ImportError as error:
        raise ConfigError(
            "Event files of TensorBoard need the package tensorboard, which is not installed.",
            "Install it in the program's environment: pip install tensorboard",
        ) from error


def event_files(folder: Path) -> list[Path]:
    """Return all event files in the folder of a run, in the order in which TensorBoard reads them."""
    return sorted(folder.glob("*tfevents*"))


def new_event_file(folder: Path) -> Path:
    """Return the path of a new event file, which is read after those in the folder."""
    seconds = int(time.time())
    for path in event_files(folder):
        stamp = path.name.partition("tfevents.")[2].partition(".")[0]
        if stamp.isdecimal():
            seconds = max(seconds, int(stamp) + 1)
    return folder / f"events.out.tfevents.{seconds:010}.{socket.gethostname()}.{os.getpid()}{SUFFIX}"


class RecordEncoder:
    """Encodes records. `require_tensorboard` comes first."""

    def __init__(self) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._events, self._summaries = event_pb2, summary_pb2
        self._hparams, self._text, self._writer = hparams_pb, text_pb, RecordWriter

    def header(self) -> bytes:
        """Return the beginning of a file, without which readers expect the format of 2015."""
        return self._framed(self._events.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def encode(self, record: Record) -> bytes:
        """Return a record as it is appended to a file."""
        event = self._events.Event(wall_time=record.wall_time, step=max(record.step, 0))
        match record:
            case Scalars(values=values):
                value = self._summaries.Summary.Value
                event.summary.value.extend(value(tag=tag, simple_value=number) for tag, number in values.items())
            case Sample(markdown=markdown):
                event.summary.CopyFrom(self._text(SAMPLES_TAG, markdown))
            case Settings(run=run, values=values):
                event.summary.CopyFrom(self._hparams(values, trial_id=run, start_time_secs=record.wall_time))
            case _:  # readers drop what they have read of this step and later ones
                event.step = record.step + 1
                event.session_log.status = self._events.SessionLog.START
        return self._framed(event)

    def _framed(self, event: Any) -> bytes:  # noqa: ANN401 - the package has no types
        buffer = io.BytesIO()
        self._writer(buffer).write(event.SerializeToString())
        return buffer.getvalue()


class EventFile:
    """A new event file in the folder of a run, to which records are appended. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Write the beginning of the file. Raises `StorageError`."""
        self._encoder = RecordEncoder()
        self._waiting = b""
        self._num_bytes = 0
        """Length of the file without what a failed write has left."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path = new_event_file(folder)
        except OSError as error:
            raise write_error(folder, error) from error
        self.flush()

    def add(self, record: Record) -> None:
        """Append a record at the next `flush`."""
        self._waiting += self._encoder.encode(record)

    def flush(self) -> None:
        """Append what waits; it stays where that fails. Raises `StorageError`.

        The file is opened each time: one that was deleted meanwhile is created again, with what follows.
        """
        if not self._waiting and self._num_bytes:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                length = min(os.fstat(descriptor).st_size, self._num_bytes)
                os.ftruncate(descriptor, length)
                content = self._waiting if length else self._encoder.header() + self._waiting
                write_all(descriptor, content)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise write_error(self.path, error) from error
        self._num_bytes, self._waiting = length + len(content), b""


def write_error(path: Path, error: OSError) -> StorageError:
    """Return the error of an event file, or its folder, that can't be written."""
    cause, remedy = error.strerror or str(error), "Choose another folder."
    if isinstance(error, FileExistsError | NotADirectoryError):
        cause = "it is not a folder"
    elif error.errno == errno.ENOSPC:
        remedy = "Free some space, or choose another folder."
    return StorageError(f"{path} can't be written: {cause}.", remedy)
