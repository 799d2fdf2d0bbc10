"""`TorchrunBridge`: the bridge to a run that this process starts in several others. It attaches like any screen."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from engine.config.run import RunConfig
from engine.progress import Stage
from engine.protocol.events import RunFailed, RunFinished
from tui.process.attached import RemoteBridge
from tui.process.torchrun import Torchrun
from tui.run.connection import Bridge

_POLL_SECONDS = 0.2
"""How often a run that waits for the one before checks whether it was stopped."""


class TorchrunBridge(RemoteBridge):
    """Starts the processes with its thread, and attaches to the run as soon as it listens."""

    def __init__(
        self, config: RunConfig, prepare: Callable[[RunConfig], Torchrun], before: Bridge | None = None
    ) -> None:
        """Call `prepare` for this run and each successor; nothing starts before the run of `before` has ended."""
        self.torchrun = prepare(config)
        super().__init__(self.torchrun.run)
        self.config = self.torchrun.config
        self._prepare_torchrun = prepare
        self._before = before

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def successor(self, config: RunConfig) -> TorchrunBridge:
        """Return a bridge for another run, which starts once this one has ended."""
        return TorchrunBridge(config, self._prepare_torchrun, before=self)

    def is_over(self, timeout_seconds: float) -> bool:
        """Wait as `join` does; return whether the runs before have ended too."""
        return self.join(timeout_seconds) and (self._before is None or self._before.is_over(timeout_seconds))

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the run save and end, or not start."""
        if self._has_snapshot.is_set():
            super().stop(reason, unless_unsaved=unless_unsaved)
            return
        end = RunFinished(step=0, elapsed_seconds=0.0, reason=reason, total_seconds=0.0, total_chars=0)
        self._handle_event(end)
        self.torchrun.stop()
        self.leave()

    @property
    def stage(self) -> Stage:
        """What the processes do before the run has started."""
        return self.torchrun.stage

    def _prepare(self) -> None:
        """Start the processes once the run before has ended."""
        while self._before is not None and not self._before.is_over(_POLL_SECONDS):
            if self._leaving.is_set():
                return
        self.torchrun.start()

    def _will_start_again(self) -> bool:
        """Return whether the processes of the run are about to start, for the first time or again."""
        return super()._will_start_again() if self._has_snapshot.is_set() else self.torchrun.is_alive

    def _failure(self) -> RunFailed:
        """Return the error of the processes, if they have ended with one."""
        failure, lost = self.torchrun.failure, super()._failure()
        if failure is None:
            return lost
        if not self._has_snapshot.is_set():
            return failure
        return replace(lost, title=failure.title, detail=failure.detail, hint="")  # it can be resumed
