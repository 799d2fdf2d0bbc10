"""`ScreenLaunch`: a screen starts a launcher, as a process in a session of its own. Imports no torch."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile

from engine.config.run import RunConfig
from engine.errors import DistributedError
from engine.protocol import events
from engine.protocol.codec import DecodeError
from engine.protocol.events import RunFailed
from engine.protocol.stage import Stage
from tui.process.launch.count import AUTO
from tui.process.launch.folder import VARIABLE, LaunchFolder
from tui.process.launch.notes import LaunchNotes
from tui.process.launch.order import LaunchOrder, name_in, named
from tui.process.own_program import own_module
from tui.run.error_report import failure_event

_MAX_BYTES = 64 * 1024


class ScreenLaunch:
    """The launch of one run. For any thread."""

    def __init__(self, config: RunConfig, *, wanted: int, stops_on_hangup: bool = False) -> None:
        """Prepare to launch `wanted` processes, or `AUTO`. Raises `TweetgenError` for a run that can't be resumed."""
        self.config = named(config)
        self.run = name_in(self.config)
        self._first_stage = Stage("starting the processes" if wanted == AUTO else f"starting {wanted} processes")
        self._wanted = wanted
        self._stops_on_hangup = stops_on_hangup
        self._notes: LaunchNotes | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # without names: the launcher may outlive this process
        self._output, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - they stay open

    def start(self) -> None:
        """Start the launcher. Raises `StorageError`."""
        folder = LaunchFolder.create()
        order = LaunchOrder(
            config=self.config, wanted=self._wanted, stops_on_hangup=self._stops_on_hangup, is_for_screen=True
        )
        order.write(folder)
        self._notes = LaunchNotes(folder)
        self._process = subprocess.Popen(  # noqa: S603 - the program itself, without a shell
            [*own_module("tui"), "train"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            env={**os.environ, VARIABLE: str(folder.path)},
            start_new_session=True,
        )

    def stop(self) -> None:
        """Let the launcher end the run."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    @property
    def stage(self) -> Stage:
        """What the processes do before the run has started."""
        return (self._notes and self._notes.stage) or self._first_stage

    @property
    def is_alive(self) -> bool:
        """Whether the launcher runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def failure(self) -> RunFailed | None:
        """The error that the run has ended with; None where the launcher has ended without one."""
        if self._process is None or self._process.poll() in (None, 0):
            return None
        self._output.seek(0)
        try:
            event = events.from_json(self._output.read(_MAX_BYTES))
        except DecodeError:
            event = None
        return event if isinstance(event, RunFailed) else self._unexpected_end()

    def _unexpected_end(self) -> RunFailed:
        """Return the error of a launcher that could report none."""
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _MAX_BYTES))
        lines = self._errors.read().decode(errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "")
        return failure_event(DistributedError("The launcher of the processes ended unexpectedly.", last), None)
