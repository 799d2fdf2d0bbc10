"""The journal of a run: its events as lines of JSON, from which the plot of a resumed run is restored.

Lines are appended, and never change: a partial line that a full disk left is truncated before the next write, and a
line torn by a kill is skipped when the journal is read. The lock on the open journal keeps other programs out of the
whole run.

The first `WHOLE_STEPS` steps of a run stay whole. After that a bucket has the steps with the same `step // width`, and
the width doubles whenever the run does, so that each doubling takes `WHOLE_STEPS / 2` buckets. Widths are powers of
two: a bucket lies within one bucket of the plot (`tui.run.series`), which is wider.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from msgspec.structs import replace

from engine.errors import StorageError, TweetgenError
from engine.protocol import codec, events
from engine.protocol.events import (
    CheckpointSaved,
    EvalFinished,
    Event,
    RanksMeasured,
    RunStarted,
    StepsFinished,
    StepsThinned,
    StepTimes,
    TweetSampled,
)
from engine.storage.files import in_use_error, is_same, open_regular, storage_errors, try_lock, write_all

MAX_WAITING_BYTES = 1024 * 1024
"""Limit of the lines buffered while the disk fails; beyond it the oldest are dropped."""
_NOT_OPEN = -1


class Journal:
    """An open, locked journal. A written line survives a kill of the process.

    The steps of the open bucket are in memory until it ends. After a failed write, lines are buffered in memory until
    `flush` succeeds.
    """

    def __init__(self, path: Path) -> None:
        """Open and lock the file for appending; the next line starts after a torn last one.

        Raises `StorageError`, also if another program has the run open.
        """
        self.path = path
        self.is_failing = False
        """Whether the last write failed; `write` then only buffers until `flush` is called."""
        self.num_lost = 0
        """Events dropped because the buffer was full."""
        self._waiting: deque[bytes] = deque()
        self._started: RunStarted | None = None
        self._last: Event | None = None
        self._descriptor = self._folder = _NOT_OPEN
        self._num_bytes = 0
        """Length of the valid part of the file; a failed write may have left more."""
        self._is_torn = False
        with storage_errors(path):
            first = next(read_journal(path), None)
        self._buckets = StepBuckets(None if first is None else first.step)
        self._open(os.O_CREAT)

    @property
    def num_waiting(self) -> int:
        """Events that are buffered and not written yet."""
        return len(self._waiting)

    def write(self, event: Event) -> None:
        """Append an event. Raises `StorageError` on the first failure; the event stays buffered."""
        if isinstance(event, RunStarted):
            self._started = event
        self._last = event
        self._write_events(self._buckets.add(event))

    def end_bucket(self) -> None:
        """Append the steps that are in memory, so that no bucket has steps before and after. Raises as `write`."""
        self._write_events(self._buckets.flush())

    def flush(self) -> None:
        """Write all that is in memory, even after a failed write. Raises `StorageError`."""
        self._write_events(self._buckets.flush(), is_retry=True)

    def _write_events(self, new_events: Iterable[Event], *, is_retry: bool = False) -> None:
        """Append events after those that are buffered; after a failed write, only buffer them unless `is_retry`."""
        self._waiting += map(to_line, new_events)
        if self.is_failing and not is_retry:
            num_bytes = sum(map(len, self._waiting))
            while num_bytes > MAX_WAITING_BYTES and len(self._waiting) > 1:
                num_bytes -= len(self._waiting.popleft())
                self.num_lost += 1
        elif self._waiting:
            try:
                self.append(b"".join(self._waiting))
            except StorageError:
                self.is_failing = True
                raise
            self.is_failing = False
            self._waiting.clear()

    def append(self, lines: bytes) -> None:
        """Append whole lines, all or none. Raises `StorageError`.

        A partial write is truncated at once, or before the next one if that fails too.
        """
        with storage_errors(self.path):
            self._truncate_partial_write()
            try:
                write_all(self._descriptor, b"\n" + lines if self._is_torn else lines)
            except OSError:
                with contextlib.suppress(OSError):
                    self._truncate_partial_write()
                raise
            self._num_bytes = os.fstat(self._descriptor).st_size
            self._is_torn = False

    def _truncate_partial_write(self) -> None:
        if os.fstat(self._descriptor).st_size > self._num_bytes:
            os.ftruncate(self._descriptor, self._num_bytes)

    def recreate_if_missing(self, **settings: Any) -> bool:  # noqa: ANN401 - fields of `RunStarted`
        """Recreate file and folder if they were deleted or moved away; return whether they were.

        A file that an editor or a backup put in place of the open one is appended to. Raises `StorageError`, also if
        another folder has that name: it may be another run's. The new journal begins with `RunStarted`, as after a
        resume, with these `settings`.
        """
        with storage_errors(self.path):
            if is_same(self.path, self._descriptor):
                return False
            is_same_folder = is_same(self.path.parent, self._folder)
            if not is_same_folder and self.path.exists():
                raise StorageError(
                    f"{self.path} belongs to another run now.",
                    "Move that folder away; this run then creates a new one.",
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open(os.O_CREAT if is_same_folder else os.O_CREAT | os.O_EXCL)
        if self._num_bytes:
            return False
        if self._started is not None and self._last is not None:
            step, seconds = self._last.step, self._last.elapsed_seconds
            restarted = replace(self._started, step=step, elapsed_seconds=seconds, **settings)
            self._waiting.appendleft(to_line(restarted))
        return True

    def _open(self, how: int) -> None:
        """Open and lock the file, and close the one that was open. Raises `StorageError`."""
        with storage_errors(self.path):
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | how, 0o600)
            try:
                if not try_lock(descriptor):
                    raise in_use_error(self.path)
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):  # a pipe blocks when it is full
                    raise OSError(errno.EINVAL, "Not a regular file")
                is_torn = status.st_size > 0 and os.pread(descriptor, 1, status.st_size - 1) != b"\n"
                # while it is open, its inode can't be reused by a new folder
                folder = os.open(self.path.parent, os.O_RDONLY)
            except BaseException:  # re-raised; no descriptor is left open
                os.close(descriptor)
                raise
        self._close_file()
        self._descriptor, self._folder = descriptor, folder
        self._num_bytes, self._is_torn = status.st_size, is_torn

    def close(self) -> None:
        """Try a last time to write what is in memory, and close the file. Idempotent."""
        if self._descriptor != _NOT_OPEN:
            with contextlib.suppress(StorageError):
                self.flush()
            self._close_file()

    def _close_file(self) -> None:
        for descriptor in (self._descriptor, self._folder):
            with contextlib.suppress(OSError):  # a network file system may report old errors only now
                if descriptor != _NOT_OPEN:
                    os.close(descriptor)
        self._descriptor = self._folder = _NOT_OPEN


def to_line(event: Event) -> bytes:
    """Return an event as its line in the journal."""
    return codec.encode(event).encode() + b"\n"


WHOLE_STEPS = 8192
"""As many as the plot shows one by one."""
_BETWEEN_STEPS = TweetSampled | EvalFinished | StepTimes | RanksMeasured | CheckpointSaved
"""Events that don't end a bucket. All others do, so that no step moves beyond a change of the run."""


class StepBuckets:
    """Puts the steps of one run into buckets, unless its setting `keep_every_step` is on.

    It relies on an event wherever steps are not consecutive: a `Warned` for a skipped step, a `CheckpointLoaded`.
    """

    def __init__(self, first_step: int | None = None) -> None:
        """`first_step` is the step at which the run began; None if its first `RunStarted` is still to come."""
        self._first_step = first_step
        self._whole_until = math.inf
        """The first step that does not stay whole."""
        self._open: list[StepsFinished] = []
        """The steps of the open bucket, as they were reported."""
        self._seconds = 0.0
        """Time of the last event that precedes the open bucket in the journal."""

    def add(self, event: Event) -> Iterator[Event]:
        """Yield what the journal gets as `event` occurs: whole steps, ended buckets, other events as they are."""
        if isinstance(event, StepsFinished):
            yield from self._add_steps(event)
            return
        if not isinstance(event, _BETWEEN_STEPS):
            yield from self.flush()
        if isinstance(event, RunStarted):
            self._first_step = event.step if self._first_step is None else self._first_step
            self._whole_until = math.inf if event.training.keep_every_step else self._first_step + WHOLE_STEPS
        self._seconds = event.elapsed_seconds
        yield event

    def _add_steps(self, report: StepsFinished) -> Iterator[StepsFinished | StepsThinned]:
        """Cut a report where steps stop being whole and where buckets end; yield what is whole or complete."""
        start, count = 0, len(report.train_losses)
        while start < count:
            first = report.first_step + start
            is_whole = first < self._whole_until
            width = 1 << ((first - (self._first_step or 0)) // WHOLE_STEPS).bit_length()
            room = self._whole_until - first if is_whole else width - first % width
            end = start + int(min(room, count - start))
            part = replace(
                report,
                step=report.first_step + end - 1,
                first_step=first,
                train_losses=report.train_losses[start:end],
                grad_norms=report.grad_norms[start:end],
                learning_rates=report.learning_rates[start:end],
            )
            if is_whole:
                yield part
            else:
                self._open.append(part)
            if end - start == room:
                yield from self.flush()
            start = end

    def flush(self) -> Iterator[StepsThinned]:
        """Yield the open bucket, if there is one; the next step begins another."""
        parts, self._open = self._open, []
        if not parts:
            return
        last = parts[-1]
        losses = [loss for part in parts for loss in part.train_losses]
        norms = [norm for part in parts for norm in part.grad_norms]
        mean_loss, mean_norm, rate = in_shortest_digits([fmean(losses), fmean(norms), last.chars_per_second])
        yield StepsThinned(
            step=last.step,
            elapsed_seconds=max(last.elapsed_seconds, self._seconds),  # a journal's time never goes back
            first_step=parts[0].first_step,
            least_loss=min(losses),
            mean_loss=mean_loss,
            greatest_loss=max(losses),
            least_grad_norm=min(norms),
            mean_grad_norm=mean_norm,
            greatest_grad_norm=max(norms),
            learning_rate=last.learning_rate,
            chars_per_second=rate,
        )


def in_shortest_digits(values: Iterable[float]) -> tuple[float, ...]:
    """Return float32 values as the numbers with the fewest digits that differ from no other float32."""
    import numpy as np  # imported late: reading a journal needs no NumPy

    return tuple(float(str(np.float32(value))) for value in values)


_TAIL_BYTES = 256 * 1024
"""Longer than any event is."""


@dataclass
class SkippedLines:
    """Counts of the lines of a journal that could not be read so far."""

    num_sessions: int = 0
    num_torn: int = 0
    """Lines that are not events."""

    @property
    def warning(self) -> str:
        """The warning for the user; empty if no more than one torn line per session is missing."""
        if self.num_torn > max(self.num_sessions, 1):
            return f"{self.num_torn:,} lines of the journal can't be read; they are skipped."
        return ""


def read_journal(path: Path, skipped: SkippedLines | None = None) -> Iterator[Event]:
    """Yield the events of a journal in order, none if the file is missing; count the other lines in `skipped`.

    Raises `OSError` if the file can't be read.
    """
    return read_events(read_lines(path), SkippedLines() if skipped is None else skipped)


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a journal, none if the file is missing. Raises `OSError` if it can't be read."""
    with contextlib.suppress(FileNotFoundError), open_regular(path) as file:
        yield from file


def read_events(lines: Iterable[bytes], skipped: SkippedLines) -> Iterator[Event]:
    """Yield the events of the lines of a journal in order; count the other lines in `skipped`."""
    for line in lines:
        event = event_in(line)
        if event is None:
            skipped.num_torn += bool(line.strip())
        else:
            skipped.num_sessions += isinstance(event, RunStarted)
            yield event


def event_in(line: bytes) -> Event | None:
    """Return the event that a line of a journal records; None if it is torn."""
    try:
        return events.from_json(line)
    except (codec.DecodeError, TweetgenError):
        return None


def last_event(path: Path) -> Event | None:
    """Return the last readable event in the tail of a journal, or None."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        event = event_in(line)
        if event is not None:
            return event
    return None
