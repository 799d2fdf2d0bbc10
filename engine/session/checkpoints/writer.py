"""`CheckpointWriter`: a thread for one write at a time, so that training continues while the disk is slow."""

from __future__ import annotations

import threading
from collections.abc import Callable


class CheckpointWriter:
    """Runs one job at a time on a daemon thread, which does not keep the process from ending. Used by one thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, job: Callable[[], None]) -> None:
        """Run `job` on a thread; none may be running."""

        def run() -> None:
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised by `raise_error`
                self._error = error

        self._thread = threading.Thread(target=run, name="checkpoint writer", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the job has not ended yet."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout_seconds: float | None = None) -> None:
        """Wait until the job has ended, if there is one."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def raise_error(self) -> None:
        """Raise what the last job raised, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error
