"""`SaveQueue`: the saves of a run that wait for the writer's thread, and the one that it works on.

One write at a time, in the order of the requests. The session's thread starts each write and finishes it, in `poll`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.checkpoints.host_copy import HostCopy
from engine.errors import StorageError
from engine.session.checkpoints.write_job import SaveRequest, WriteJob
from engine.session.checkpoints.writer import CheckpointWriter

PATIENCE_SECONDS = 5.0
"""How long a save waits for the one before it, where another one waits already; a disk that takes longer has failed."""


class SaveQueue:
    """The requests of one run. Used by the session's thread only, except for `requests`."""

    def __init__(self, start: Callable[[SaveRequest], WriteJob | None], finish: Callable[[WriteJob], None]) -> None:
        """`start` returns what is to be written for a request, or None where nothing is.

        `finish` is called once a job has ended, or raised: `raise_error` raises its exception.
        """
        self._start = start
        self._finish = finish
        self._writer = CheckpointWriter()
        self._job: WriteJob | None = None
        self._began = 0.0
        self._waiting: list[SaveRequest] = []

    @property
    def requests(self) -> list[SaveRequest]:
        """All requests that are not done. For any thread."""
        job = self._job
        return [*self._waiting] if job is None else [job.request, *self._waiting]

    @property
    def waiting(self) -> list[SaveRequest]:
        """The requests that wait."""
        return self._waiting

    @property
    def copies(self) -> list[HostCopy]:
        """The copies that are not written yet."""
        best = None if self._job is None else self._job.best
        return [request.snapshot for request in (*self.requests, best) if request is not None]

    def add(self, request: SaveRequest) -> None:
        """Add a request, and start to write it if nothing else is written."""
        self._waiting.append(request)
        self.poll()

    def replace(self, name: str) -> None:
        """Remove what waits under that name, unless the user asked for it: a newer one takes its place."""
        self._waiting = [request for request in self._waiting if request.name != name or request.is_asked]

    def make_room(self) -> None:
        """Wait until no request waits. Raises `StorageError` where the disk takes longer than `PATIENCE_SECONDS`."""
        if not self._waiting:
            return
        self._writer.join(max(0.0, self._began + PATIENCE_SECONDS - time.monotonic()))
        self.poll()
        if self._waiting:
            raise self._blocked_error()

    @property
    def blocked_error(self) -> StorageError | None:
        """The error of a write that has taken longer than `PATIENCE_SECONDS`; None if there is no such write."""
        is_blocked = self._job is not None and time.monotonic() >= self._began + PATIENCE_SECONDS
        return self._blocked_error() if is_blocked else None

    def _blocked_error(self) -> StorageError:
        name = self.requests[0].name
        return StorageError(
            f"{name} can't be written: the disk has not finished in {time.monotonic() - self._began:.0f} seconds.",
            "Set TWEETGEN_HOME to another disk.",
        )

    def poll(self) -> None:
        """Finish the write that has ended and start the next one; otherwise return at once.

        Raises what `start` and `finish` raise; the queue can still be used.
        """
        while not self._writer.is_running:
            if self._job is not None:
                job, self._job = self._job, None
                self._finish(job)
            elif self._waiting:
                started = self._start(self._waiting.pop(0))
                if started is not None:
                    self._job, self._began = started, time.monotonic()
                    self._writer.start(started.run)
            else:
                return

    def raise_error(self) -> None:
        """Raise the exception of the job that has ended, if any."""
        self._writer.raise_error()

    def wait(self) -> None:
        """Wait until all requests are done."""
        self.poll()
        while self._job is not None:
            self._writer.join()
            self.poll()

    def close(self) -> None:
        """Wait for the write in progress, and finish nothing."""
        self._writer.join()
