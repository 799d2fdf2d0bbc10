"""`JournalBridge`: the interface of a screen to a replay that is recorded: its events come by a clock, on no thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.config.run import RunConfig
from engine.protocol.events import RunFinished
from engine.storage.journal import SkippedLines
from tui.run.bridge import Update
from tui.run.engine_bridge import EngineBridge
from tui.run.replay import END, timed_events


class JournalBridge(EngineBridge):
    """Emits the events of a journal that are due, at last a `RunFinished`. Starts no session; commands do nothing."""

    def __init__(self, path: Path, speed: float, max_gap_seconds: float, clock: Callable[[], float]) -> None:
        """Replay the journal `speed` times as fast as it trained; a longer gap by `clock` is shortened."""
        super().__init__(RunConfig())
        self.skipped = SkippedLines()
        """The lines that can't be decoded, so far."""
        self._speed = speed
        self._clock = clock
        self._coming = timed_events(path, self.skipped, max_gap_seconds * speed)
        self._next = next(self._coming, None)

    def start(self) -> None:
        """Do nothing: `drain` reads the journal."""

    def drain(self) -> Update:
        """Return the events that are due since the last call. Raises `OSError` if the journal can't be read."""
        events = []
        while self._next is not None and self._next[0] <= self._clock() * self._speed:
            _, event = self._next
            events.append(event)
            self._next = next(self._coming, None)
            if self._next is None:
                seconds = event.elapsed_seconds
                end = RunFinished(
                    step=event.step, elapsed_seconds=seconds, reason=END, total_seconds=seconds, total_chars=0
                )
                events.append(end)
        return Update(tuple(events))

    @property
    def is_alive(self) -> bool:
        """Whether more events come."""
        return self._next is not None
