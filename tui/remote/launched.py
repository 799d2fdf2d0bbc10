"""`LaunchedBridge`: the bridge of a screen to a run that it has launched in several processes.

Their launcher is a process of its own, in a session of its own: neither it nor the run ends with the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from engine.config.run import RunConfig
from engine.protocol.events import RunFailed, RunFinished
from engine.protocol.stage import Stage
from engine.storage.folders import folder_of_run
from tui.remote.client import RemoteBridge
from tui.run.bridge import Bridge

_POLL_SECONDS = 0.2
"""How often a run that waits for the one before checks whether it was stopped."""


class Launch(Protocol):
    """The launcher of a run, as the screen needs it."""

    @property
    def config(self) -> RunConfig:
        """The config of the run."""

    @property
    def run(self) -> str:
        """The name of the run."""

    def start(self) -> None:
        """Start the launcher. Raises `TweetgenError`."""

    def stop(self) -> None:
        """Let the launcher end a run that has not started."""

    @property
    def is_alive(self) -> bool:
        """Whether the launcher runs."""

    @property
    def stage(self) -> Stage:
        """What it does before the run has started."""

    @property
    def failure(self) -> RunFailed | None:
        """The error that the run has ended with, once the launcher has ended."""


MakeLaunch = Callable[[RunConfig], Launch]
"""Prepares the launch of a run. Raises `TweetgenError`."""


class LaunchedBridge(RemoteBridge):
    """Starts the launcher with its thread, and attaches to the run as soon as it listens."""

    def __init__(self, config: RunConfig, make_launch: MakeLaunch, before: Bridge | None = None) -> None:
        """Prepare; nothing is launched before `start`, nor before the run of the bridge `before` has ended."""
        self._launch = make_launch(config)
        super().__init__(folder_of_run(self._launch.run))
        self.config = self._launch.config
        self._make_launch = make_launch
        self._before = before

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def successor(self, config: RunConfig) -> LaunchedBridge:
        """Return a bridge for another run, which starts once this one has ended."""
        return LaunchedBridge(config, self._make_launch, before=self)

    def is_over(self, timeout_seconds: float) -> bool:
        """Wait as `join` does; return whether the runs before have ended too."""
        return self.join(timeout_seconds) and (self._before is None or self._before.is_over(timeout_seconds))

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the run save and end, or not start."""
        if self._has_snapshot.is_set():
            super().stop(reason, unless_unsaved=unless_unsaved)
        else:
            end = RunFinished(step=0, elapsed_seconds=0.0, reason=reason, total_seconds=0.0, total_chars=0)
            self._handle_event(end)
            self._launch.stop()
            self.leave()

    @property
    def stage(self) -> Stage:
        """What the processes do before the run has started."""
        return self._launch.stage

    def _prepare(self) -> None:
        """Start the launcher once the run before has ended."""
        while self._before is not None and not self._before.is_over(_POLL_SECONDS):
            if self._leaving.is_set():
                return
        self._launch.start()

    @property
    def _is_launched(self) -> bool:
        """Whether the launcher is about to start the processes of the run."""
        return self._launch.is_alive or super()._is_launched

    def _fail(self) -> None:
        """End the event stream with the error of the launcher, if any."""
        failure = self._launch.failure
        if failure is not None:
            self._handle_event(failure)
        else:
            super()._fail()
