"""Writers of checkpoints for a disk that is slow or blocks, without a clock: a test decides when a write ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.session.checkpoints.writer import CheckpointWriter
from tests.waiting import DEADLINE_SECONDS


class BlockedWriter(CheckpointWriter):
    """Writes nothing between `block` and `unblock`; a wait of the session without a limit unblocks it, too."""

    instance: BlockedWriter
    """That of the last session."""

    def __init__(self) -> None:
        super().__init__()
        self._may_write = threading.Event()
        self._may_write.set()
        BlockedWriter.instance = self

    def start(self, job: Callable[[], None]) -> None:
        def run() -> None:
            assert self._may_write.wait(DEADLINE_SECONDS)
            job()

        super().start(run)
        if self._may_write.is_set():
            super().join()

    def join(self, timeout_seconds: float | None = None) -> None:
        if timeout_seconds is None:
            self._may_write.set()
        super().join(timeout_seconds)

    @classmethod
    def block(cls) -> None:
        """Block the next write."""
        cls.instance._may_write.clear()

    @classmethod
    def unblock(cls) -> None:
        """Wait until the write in progress has ended; later ones end at once."""
        cls.instance.join()


class LateWriter(CheckpointWriter):
    """Runs a job once it was looked at some times: without a thread, always at the same place of a run."""

    num_looks = 0

    def __init__(self) -> None:
        super().__init__()
        self._waiting: Callable[[], None] | None = None
        self._looks_left = 0

    def start(self, job: Callable[[], None]) -> None:
        self._waiting, self._looks_left = job, self.num_looks

    @property
    def is_running(self) -> bool:
        self._looks_left -= 1
        if self._looks_left < 0:
            self.join()
        return self._waiting is not None

    def join(self, timeout_seconds: float | None = None) -> None:
        job, self._waiting = self._waiting, None
        if job is not None:
            super().start(job)
            super().join(timeout_seconds)
