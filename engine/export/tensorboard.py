"""Runs as TensorBoard shows them: scalars, tweets and settings in event files, while a run trains or afterwards.

`RecordStream` maps events to records, `EventFile` appends them to a file of DIR/<run>, `LiveTracker` does both while a
run trains and `export_to_tensorboard` afterwards, with the same points for the same events. A tracker needs no point
per step: the first `SINGLE_STEPS` steps are points of their own, later ones are averaged over a second of training.

Uses the protocol buffers and the record format of the package `tensorboard`, not its `EventFileWriter`: that imports
TensorFlow where it is installed, blocks its caller while the disk does, and can't continue after a full disk. Never
reads weights, and never imports torch.
"""

from __future__ import annotations

import errno
import io
import math
import os
import queue
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from engine.errors import ConfigError, StorageError
from engine.export.text_files import Thinned, last_remaining_steps
from engine.protocol import events as e
from engine.storage.files import is_locked, new_file, storage_errors, write_all
from engine.storage.folders import RunFolder
from engine.storage.journal import SkippedLines, read_journal

SINGLE_STEPS = 1000
"""The first steps of a run, in which the loss falls fastest, are a point each."""
WRITE_SECONDS = 2.0
MAX_WAITING = 3000
"""Reports of steps that wait for a disk that blocks, about five minutes; later ones are dropped."""
_CLOSE_SECONDS = 5.0
_SUFFIX = ".tweetgen"
"""Ends the names of our event files; TensorBoard reads every file with `tfevents` in its name."""


def require_tensorboard() -> None:
    """Raise `ConfigError` unless the package that writes event files is installed. Imports it, which takes 0.1 s."""
    try:
        from tensorboard.compat.proto import event_pb2  # noqa: F401 - the first of those of `encode`
    except ImportError as error:
        raise ConfigError(
            "Event files of TensorBoard need the package tensorboard, which is not installed.",
            "Install it in the program's environment: pip install tensorboard",
        ) from error


# Events as records ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """What TensorBoard shows at a step."""

    step: int
    wall_time: float
    """Seconds since 1970."""
    content: dict[str, float] | str | e.RunStarted | None
    """Scalars by tag, a tweet as Markdown, or the settings of a run; None: all records after `step` are void."""


class RecordStream:
    """Turns the events of one run, in order, into records."""

    def __init__(self) -> None:
        self._later: list[tuple[e.StepsFinished | e.StepsThinned, int, float]] = []
        """Reports of one second of training that have no record yet: from which index on, and their time."""

    def records_of(self, event: e.Event, wall_time: float) -> Iterator[Record]:
        """Yield what the next event adds; it occurred at `wall_time`, in seconds since 1970."""
        match event:
            case e.StepsFinished() | e.StepsThinned():
                yield from self._steps(event, wall_time)
            case e.EvalFinished():
                values = {"val/loss": event.val_loss, "val/bits_per_char": event.bits_per_char}
                yield Record(event.step, wall_time, values)
            case e.TweetSampled():  # one line: in an indented block no character is markup
                end = "" if event.reached_eos else ", cut off"
                facts = f"temperature {event.temperature:g}, {event.bits_per_char:.2f} bits per character"
                yield Record(event.step, wall_time, f"{facts}, {event.novelty}{end}\n\n    {event.text}")
            case e.RunStarted():
                yield from self.finish()
                yield Record(event.step if event.resumed_from else -1, wall_time, None)
                yield Record(event.step, wall_time, event)
            case e.CheckpointLoaded():
                yield from self.finish()
                yield Record(event.step, wall_time, None)
            case e.Paused() | e.RunFinished() | e.RunFailed():
                yield from self.finish()

    def finish(self) -> Iterator[Record]:
        """Yield the mean of the steps that have no record yet, at the last of them."""
        if not self._later:
            return
        last, _, wall_time = self._later[-1]
        num_steps, loss, norm = 0, 0.0, 0.0
        for event, first, _ in self._later:
            if isinstance(event, e.StepsThinned):
                num_steps += event.num_steps
                loss += event.mean_loss * event.num_steps
                norm += event.mean_grad_norm * event.num_steps
            else:
                num_steps += len(event.train_losses) - first
                loss += sum(event.train_losses[first:])
                norm += sum(event.grad_norms[first:])
        yield _train_record(last.step, wall_time, loss / num_steps, norm / num_steps, last.learning_rate, last)
        self._later = []

    def _steps(self, event: e.StepsFinished | e.StepsThinned, wall_time: float) -> Iterator[Record]:
        num_single = 0
        if isinstance(event, e.StepsFinished):
            num_single = min(max(SINGLE_STEPS - event.first_step + 1, 0), len(event.train_losses))
            steps = zip(event.train_losses, event.grad_norms, event.learning_rates, strict=True)
            for step, (loss, norm, rate) in enumerate(islice(steps, num_single), event.first_step):
                yield _train_record(step, wall_time, loss, norm, rate, event)
            if num_single == len(event.train_losses):
                return
        if self._later and int(self._later[-1][0].elapsed_seconds) != int(event.elapsed_seconds):
            yield from self.finish()
        self._later.append((event, num_single, wall_time))


def _train_record(
    step: int, wall_time: float, loss: float, grad_norm: float, rate: float, event: e.StepsFinished | e.StepsThinned
) -> Record:
    values = {
        "train/loss": loss,
        "train/bits_per_char": loss / math.log(2),
        "train/grad_norm": grad_norm,
        "train/learning_rate": rate,
    }
    if event.chars_per_second:  # 0 is not measured yet
        values["train/chars_per_second"] = event.chars_per_second
    return Record(step, wall_time, values)


def settings_of(event: e.RunStarted) -> dict[str, bool | float | str]:
    """Return the settings as trackers compare them: numbers and texts, by names such as `model/hidden_size`."""
    groups = {"model": asdict(event.model), "training": asdict(event.training), "sampling": asdict(event.sampling)}
    values: dict[str, bool | float | str] = {
        f"{group}/{name}": value
        for group, settings in groups.items()
        for name, value in settings.items()
        if isinstance(value, bool | int | float | str) and name != "preset_reason"
    }
    return {"corpus": event.corpus, **values}


# Event files ----------------------------------------------------------------------------------------------------------


def event_files(folder: Path) -> list[Path]:
    """Return all event files in the folder of a run, in the order in which TensorBoard reads them."""
    return sorted(folder.glob("*tfevents*"))


def new_event_file(folder: Path) -> Path:
    """Return the path of a new event file, which is read after those in the folder."""
    stamps = [path.name.partition("tfevents.")[2].partition(".")[0] for path in event_files(folder)]
    seconds = max([int(time.time()), *(int(stamp) + 1 for stamp in stamps if stamp.isdecimal())])
    return folder / f"events.out.tfevents.{seconds:010}.{socket.gethostname()}.{os.getpid()}{_SUFFIX}"


def encode(record: Record | None) -> bytes:
    """Return the bytes of a record in an event file; None: the first one, which names the format.

    `require_tensorboard` must have been called.
    """
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.plugins.text.summary_v2 import text_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    if record is None:
        event = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
    else:
        event = event_pb2.Event(wall_time=record.wall_time, step=max(record.step, 0))
        match record.content:
            case dict() as scalars:
                value = summary_pb2.Summary.Value
                event.summary.value.extend(value(tag=tag, simple_value=number) for tag, number in scalars.items())
            case str() as markdown:
                event.summary.CopyFrom(text_pb("samples", markdown))
            case e.RunStarted() as started:
                values = settings_of(started)
                event.summary.CopyFrom(hparams_pb(values, trial_id=started.run, start_time_secs=record.wall_time))
            case None:  # readers drop what they have read of this step and later ones
                event.step = record.step + 1
                event.session_log.status = event_pb2.SessionLog.START
    framed = io.BytesIO()
    RecordWriter(framed).write(event.SerializeToString())
    return framed.getvalue()


class EventFile:
    """A new event file in the folder of a run, to which records are appended. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Write the beginning of the file. Raises `StorageError`."""
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
        self._waiting += encode(record)

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
                content = self._waiting if length else encode(None) + self._waiting
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


# While a run trains ---------------------------------------------------------------------------------------------------


class LiveTracker:
    """Writes the event file of a run while it trains. It never slows the training, and never ends it.

    The session's thread only queues events; a thread of its own encodes them and writes every `WRITE_SECONDS`, so that
    a disk that fails or blocks stops nothing. What could not be written is tried again with the next write.
    """

    def __init__(self, directory: Path, run: str, *, continues: bool) -> None:
        """Create the event file in the run's folder of `directory`, and start the thread.

        Raises `StorageError` where the folder can't be written, or has event files and the run is not one that
        `continues`.
        """
        folder = directory / run
        if not continues and event_files(folder):
            raise StorageError(
                f"{folder} has the events of another run.", "Choose another --run-name or another --tensorboard folder."
            )
        self._file = EventFile(folder)
        self._records = RecordStream()
        self._waiting: queue.SimpleQueue[tuple[float, e.Event] | threading.Event] = queue.SimpleQueue()
        self._is_due, self._is_closed = threading.Event(), False
        self._problem, self._has_reported = "", False
        self._thread = threading.Thread(target=self._work, name="tensorboard", daemon=True)
        self._thread.start()

    def handle(self, event: e.Event) -> None:
        """Queue an event."""
        if isinstance(event, e.StepsFinished) and self._waiting.qsize() >= MAX_WAITING:
            self._report("The disk does not answer", f"{self._file.path} can't be written.")
            return
        self._waiting.put((time.time(), event))

    def drain_problem(self) -> str:
        """Return why events are not written, once per run; else an empty text."""
        if self._has_reported or not self._problem:
            return ""
        self._has_reported = True
        return self._problem

    def flush(self) -> None:
        """Wait, a moment, until all events so far are written or have failed."""
        is_written = threading.Event()
        self._waiting.put(is_written)
        self._is_due.set()
        is_written.wait(_CLOSE_SECONDS)

    def close(self) -> None:
        """Write what waits, and end the thread unless the disk blocks."""
        self._is_closed = True
        self._is_due.set()
        self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        """Encode and write the events in the queue, at intervals. The thread's body."""
        is_last = False
        while not is_last:
            self._is_due.wait(WRITE_SECONDS)
            self._is_due.clear()
            is_last, flushes = self._is_closed, []
            for _ in range(self._waiting.qsize()):
                item = self._waiting.get()
                if isinstance(item, threading.Event):
                    flushes.append(item)
                    continue
                wall_time, event = item
                for record in self._records.records_of(event, wall_time):
                    self._file.add(record)
            try:
                self._file.flush()
            except StorageError as error:
                cause = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
                self._report(cause or error.title, error.message)
            for each in flushes:
                each.set()

    def _report(self, cause: str, detail: str) -> None:
        """Store the first problem; the cause first, since a narrow screen cuts the message off."""
        outlook = f"events for TensorBoard are not written, tried again every {WRITE_SECONDS:g} s; the run continues"
        self._problem = self._problem or f"{cause}: {outlook}. {detail}"


# Afterwards -----------------------------------------------------------------------------------------------------------


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
    replaced = [path for path in existing if path.name.endswith(_SUFFIX)]
    if replaced and is_locked(run.journal_path):
        raise StorageError(
            f"The run {run.name} is active and may be writing to {folder}.", "Stop it first, or choose another folder."
        )
    records = remaining_records(_records(run, Thinned(), SkippedLines()), _records(run, thinned, skipped))
    hint = "Choose another folder."
    with storage_errors(folder, hint):
        with new_file(folder / "export", 0o666, hint) as new:  # TensorBoard also reads unfinished `tfevents` files
            path = new.path = new_event_file(folder)
            new.write(encode(None))
            for record in records:
                new.write(encode(record))
        for each in replaced:
            each.unlink()
    return path


def _records(run: RunFolder, thinned: Thinned, skipped: SkippedLines) -> Iterator[Record]:
    """Yield all records of a journal, with times in seconds since 1970, without pauses. Raises `OSError`."""
    stream = RecordStream()
    began = 0.0  # only an edited journal has events before the first `e.RunStarted`
    for event in read_journal(run.journal_path, skipped):
        if isinstance(event, e.RunStarted):
            began = event.started_at - event.elapsed_seconds
        if isinstance(event, e.StepsThinned):
            thinned.add(event)
        yield from stream.records_of(event, began + event.elapsed_seconds)
    yield from stream.finish()


def remaining_records(first_pass: Iterable[Record], second_pass: Iterable[Record]) -> Iterator[Record]:
    """Yield the records of the second pass that none takes back; both passes are over the same journal."""
    last_steps = last_remaining_steps(record.step for record in first_pass if record.content is None)
    for record in second_pass:
        if record.content is None:
            if len(last_steps) > 1:  # else the journal has grown since the first pass
                last_steps.pop()
        elif record.step <= last_steps[-1]:
            yield record
