"""`LiveTracker`: writes the event file of a run while it trains. It never slows the training, and never ends it.

The session's thread only queues events; a thread of its own encodes them and writes every `WRITE_SECONDS`, so that a
disk that fails or blocks stops nothing. What could not be written is tried again with the next write.
"""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

from engine.errors import StorageError
from engine.export.trackers.event_file import EventFile, event_files
from engine.export.trackers.records import RecordStream
from engine.protocol.events import Event, StepsFinished

WRITE_SECONDS = 2.0
MAX_WAITING = 3000
"""Reports of steps that wait for a disk that blocks, about five minutes; later ones are dropped."""
_CLOSE_SECONDS = 5.0


class LiveTracker:
    """Subscribes to the events of one session. For the session's thread."""

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
        self._waiting: queue.SimpleQueue[tuple[float, Event] | threading.Event] = queue.SimpleQueue()
        self._is_due, self._is_closed = threading.Event(), False
        self._problem, self._has_reported = "", False
        self._thread = threading.Thread(target=self._work, name="tensorboard", daemon=True)
        self._thread.start()

    def handle(self, event: Event) -> None:
        """Queue an event."""
        if isinstance(event, StepsFinished) and self._waiting.qsize() >= MAX_WAITING:
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
        """Write at intervals. The thread's body."""
        is_last = False
        while not is_last:
            self._is_due.wait(WRITE_SECONDS)
            self._is_due.clear()
            is_last = self._is_closed
            self._write_waiting()

    def _write_waiting(self) -> None:
        """Encode and write the events in the queue."""
        flushes = []
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
