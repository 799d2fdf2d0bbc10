"""`TorchrunBridge`: the bridge to a run that this process starts in several others. It attaches like any screen."""

from __future__ import annotations

from msgspec.structs import replace

from engine.protocol.events import RunFailed, RunFinished
from tui.process.attached import AttachedRun
from tui.process.torchrun import Torchrun
from tui.run.connection import RunConnection

_POLL_SECONDS = 0.2
"""How often a run that waits for the one before checks whether it was stopped."""


class TorchrunBridge(AttachedRun):
    """Starts the processes with its thread, and attaches to the run as soon as it listens."""

    def __init__(self, torchrun: Torchrun, before: RunConnection | None = None) -> None:
        """Prepare; nothing starts before the run `before` has ended."""
        self.torchrun = torchrun
        super().__init__(torchrun.run)
        self.config, self.stage = torchrun.config, torchrun.stage
        self._before = before

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of this run and of those before it; return whether they have ended. For any thread."""
        return super().wait(seconds) and (self._before is None or self._before.wait(seconds))

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the run save and end, or not start."""
        if self._has_snapshot.is_set():
            super().stop(reason, unless_unsaved=unless_unsaved)
            return
        end = RunFinished(step=0, elapsed_seconds=0.0, reason=reason, total_seconds=0.0, total_chars=0)
        self._handle_event(end)
        self.torchrun.stop()
        self.leave()

    def _prepare(self) -> None:
        """Start the processes once the run before has ended."""
        while self._before is not None and not self._before.wait(_POLL_SECONDS):
            if self._leaving.is_set():
                return
        self.torchrun.start()

    def _will_start_again(self) -> bool:
        """Return whether the processes of the run are about to start, for the first time or again."""
        if self._has_snapshot.is_set():
            return super()._will_start_again()
        self.stage = self.torchrun.stage
        return self.torchrun.is_alive

    def _failure(self) -> RunFailed:
        """Return the error of the processes, if they have ended with one."""
        failure, lost = self.torchrun.failure, super()._failure()
        if failure is None:
            return lost
        if not self._has_snapshot.is_set():
            return failure
        return replace(lost, title=failure.title, detail=failure.detail, hint="")  # it can be resumed
