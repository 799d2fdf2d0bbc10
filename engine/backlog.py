"""`Backlog`: the journal of a run on a disk that may fail, or lose the run's folder, at any moment.

What can't be written waits in memory, in order and bounded, and is written once the disk takes lines again: each once,
none torn. Where more than `MAX_WAITING_BYTES` wait, the oldest are given up, and a line in their place says so.

A folder that was deleted or moved away is made anew; where another run has taken its name, under the next free one, for
two programs never write one folder. The training is never told to wait.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.backoff import Backoff
from engine.errors import StorageError
from engine.events import Event, RunStarted, Warned
from engine.folders import RunFolder, storage_errors
from engine.journal import Journal, line_of

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Half an hour and more of a fast run."""
_LAST_TRIES = 3
_MAX_NAME_CHARS = 96
"""Of a name that a number is put after: a run's may have 100."""
_PIECE_BYTES = 256 * 1024
"""Written at once: on a disk that is nearly full, some of them fit."""


@dataclass(frozen=True)
class Gap:
    """Events that will be missing in the journal."""

    num_events: int
    first_step: int
    last_step: int
    elapsed_seconds: float
    """Of the last of them."""

    def __str__(self) -> str:
        """Say it in a sentence."""
        steps = f"from step {self.first_step:,} to {self.last_step:,}"
        return f"The journal lacks {self.num_events:,} events {steps}: the disk took none for too long."


class Backlog:
    """The journal, and what waits to be written to it. Used by the session's thread only."""

    def __init__(self, journal: Journal, folder: RunFolder, clock: Callable[[], float]) -> None:
        """Write to `journal`, which is that of the run in `folder`."""
        self.folder = folder
        """Where the run is kept now."""
        self.news = ""
        """What became of the folder, until somebody has taken note of it."""
        self.gap: Gap | None = None
        """What was given up since the last line that was written."""
        self.written_gap: Gap | None = None
        """What the journal lacks for good, until somebody has taken note of it."""
        self._journal = journal
        self._backoff = Backoff(clock)
        self._waiting: deque[tuple[Event, bytes]] = deque()
        self._num_bytes = 0
        self._beginning = b""
        """What a new journal is to begin with, until it is written."""
        self._started: RunStarted | None = None
        self._last: Event | None = None
        """That was to be written."""

    @property
    def num_waiting(self) -> int:
        """Events that are not written down yet."""
        return len(self._waiting)

    def write(self, event: Event, *, at_once: bool = False) -> None:
        """Write down an event after all that wait; `at_once` does not wait for the next try.

        Raises `StorageError` where a try fails; the event waits then.
        """
        if isinstance(event, RunStarted):
            self._started = event
        self._keep(event)
        if at_once or self._backoff.is_over:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises `StorageError`."""
        try:
            self.find_place()
            while self._waiting:
                self._write_piece()
        except StorageError:
            self._backoff.fail()
            raise
        self._backoff.work()

    def find_place(self) -> None:
        """See that the run's folder is there and its own; make it anew where it is not. Raises `StorageError`."""
        with storage_errors(self.folder.path):
            where = self._journal.where()
            if where == "here":
                return
            name, is_there = self.folder.name, self.folder.config_path.exists()
            if where == "taken":
                self._move()
                news = f"The folder of the run {name} is another run's now; this one goes on as {self.folder.name}"
                self.news = f"{news}: --resume {self.folder.name}."
                return
            self.folder.checkpoint_path("latest").parent.mkdir(parents=True, exist_ok=True)
            self._begin_anew(self.folder)
            if is_there:
                self.news = f"The journal of the run {name} was deleted or replaced; it goes on in a new one."
            else:
                self.news = f"The folder of the run {name} was deleted; it was made anew, and what it held is gone."

    def _move(self) -> None:
        """Go on in the next free folder; where that can't be, leave none behind. Raises `OSError`, `StorageError`."""
        folder = _next_free(self.folder)
        checkpoints = folder.checkpoint_path("latest").parent
        checkpoints.mkdir(parents=True)
        try:
            self._begin_anew(folder)
        except BaseException:  # raised on; an interrupt leaves no empty folder behind either
            with contextlib.suppress(OSError):
                checkpoints.rmdir()
                folder.path.rmdir()
            raise
        self.folder = folder

    def _begin_anew(self, folder: RunFolder) -> None:
        """Go on in a new journal, which begins as a resumed run's does. Raises `StorageError`."""
        self._journal.open_anew(folder.journal_path)
        if self._started is not None and self._last is not None:
            now = replace(
                self._started,
                run=folder.name,
                step=self._last.step,
                elapsed_seconds=self._last.elapsed_seconds,
                epochs=None,
            )
            self._beginning = line_of(now)

    def close(self) -> None:
        """Try a last time or two, then close the journal and let go of the run."""
        for _ in range(_LAST_TRIES if self._waiting else 0):
            with contextlib.suppress(StorageError):
                self.flush()
                break
        self._journal.close()

    def _keep(self, event: Event) -> None:
        """Let an event wait; where there are too many, give up the oldest."""
        self._last = event
        line = line_of(event)
        self._waiting.append((event, line))
        self._num_bytes += len(line)
        while self._num_bytes > MAX_WAITING_BYTES and len(self._waiting) > 1:
            lost, lost_line = self._waiting.popleft()
            self._num_bytes -= len(lost_line)
            num_events, first_step = (self.gap.num_events, self.gap.first_step) if self.gap else (0, lost.step)
            self.gap = Gap(num_events + 1, first_step, lost.step, lost.elapsed_seconds)

    def _write_piece(self) -> None:
        """Write some of the lines that wait, the oldest first. Raises `StorageError`."""
        sizes = itertools.accumulate(len(line) for _, line in self._waiting)
        num_lines = max(1, sum(1 for _ in itertools.takewhile(lambda size: size <= _PIECE_BYTES, sizes)))
        lines = [line for _, line in itertools.islice(self._waiting, num_lines)]
        content = b"".join(lines)
        if self.gap is not None:
            word = Warned(step=self.gap.last_step, elapsed_seconds=self.gap.elapsed_seconds, message=str(self.gap))
            content = line_of(word) + content
        self._journal.append(self._beginning + content)
        self._beginning = b""
        if self.gap is not None:
            self.gap, self.written_gap = None, self.gap
        self._num_bytes -= sum(map(len, lines))
        for _ in lines:
            self._waiting.popleft()


def _next_free(folder: RunFolder) -> RunFolder:
    """Return the folder NAME-2, NAME-3, ... that is not there yet."""
    names = (f"{folder.name[:_MAX_NAME_CHARS]}-{number}" for number in itertools.count(2))
    return next(RunFolder(path) for path in map(folder.path.with_name, names) if not path.exists())
