"""`ReplayedRun`: a run replayed from its journal, at its own rate times a factor.

It reads the journal line by line without a lock, so that a run of any length can be replayed, even while it trains. It
writes nothing, and refuses every command but `Pause`, `Resume` and `Stop`. No thread: `drain` reads what is due.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.config.run import RunConfig
from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.journal import SkippedLines, read_journal
from engine.text import quoted
from tui.run.connection import RunConnection, Update, end_event, failure_event, time_of

TITLE = "This is a replay"
REASON = "A replay can be paused or left, but not changed."
"""Why commands are refused."""
END = "end of the replay"
"""Why a replay has ended that was not stopped."""
_DRAIN_SECONDS = 0.03
"""How long a drain may read, so that it delays no key."""
_MAX_EVENTS = 150
"""Events per drain, not counting reports of steps: the screen handles as many in a tick without delaying a key."""
_NOT_REPLAYED = e.RunFinished | e.RunFailed | e.CommandRefused | e.TextCompleted | e.TweetRead
"""Ends of sessions, and answers to questions of their screens."""


class ReplayedRun(RunConnection):
    """Returns the events of a journal that are due, and at last a `RunFinished`."""

    def __init__(
        self,
        path: Path,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
        max_gap_seconds: float = math.inf,
    ) -> None:
        """Replay the journal at `path`, `speed` times as fast as it trained; a longer gap by `clock` is shortened.

        At an infinite speed, as fast as the screen drains.
        """
        self.config = RunConfig()
        self.skipped = SkippedLines()
        """The lines that can't be decoded, so far."""
        self._path = path
        self._speed = speed
        self._clock = clock
        self._coming = _timed_events(path, self.skipped, max_gap_seconds * speed)
        self._next: tuple[float, e.Event] | None = None
        self._began_at = clock()
        self._paused_at: float | None = None
        self._last: e.Event | None = None
        self._answers: list[e.Event] = []
        self._has_ended = False

    def start(self) -> None:
        """Start the clock of the replay."""
        self._began_at = self._clock()

    def drain(self) -> Update:
        """Return the events that are due since the last call."""
        events, num_counted, looked_at = self._answers, len(self._answers), self._clock()
        self._answers = []
        try:
            while self._paused_at is None and not self._has_ended and num_counted < _MAX_EVENTS:
                self._next = self._next or next(self._coming, None)
                if self._next is None:
                    if self.skipped.warning:
                        events.append(e.Warned(**time_of(self._last), message=self.skipped.warning))
                    events.append(end_event(END, self._last))
                    self._has_ended = True
                elif self._next[0] > self._played_seconds or self._clock() - looked_at > _DRAIN_SECONDS:
                    break
                else:
                    (_, self._last), self._next = self._next, None
                    events.append(self._last)
                    if not isinstance(self._last, e.StepsFinished):
                        num_counted += 1
        except OSError as error:
            unreadable = CheckpointError(f"{self._path} can't be read: {error.strerror or error}.")
            events.append(failure_event(unreadable, self._last))
            self._has_ended = True
        return Update(tuple(events))

    @property
    def _played_seconds(self) -> float:
        seconds = self._clock() - self._began_at
        return seconds * self._speed if seconds > 0 else 0.0  # 0 times an infinite speed would be NaN

    def send(self, command: c.Command) -> None:
        """Pause, resume or end; refuse every other command. Nothing follows the end."""
        if self._has_ended:
            return
        now = time_of(self._last)
        match command:
            case c.Stop(reason=reason):
                self._answers.append(end_event(reason, self._last))
                self._has_ended = True
            case c.Pause():
                self._paused_at = self._clock() if self._paused_at is None else self._paused_at
                self._answers.append(e.Paused(**now))
            case c.Resume():
                self._began_at += 0.0 if self._paused_at is None else self._clock() - self._paused_at
                self._paused_at = None
                self._answers.append(e.Resumed(**now))
            case _:
                hint = f"tweetgen-tui --resume {quoted(self._path.parent.name)} continues the run itself."
                name = type(command).__name__
                self._answers.append(e.CommandRefused(**now, command=name, title=TITLE, detail=REASON, hint=hint))

    def wait(self, seconds: float) -> bool:  # noqa: ARG002 - no thread to wait for
        """Return True: another run may start at once."""
        return True

    @property
    def is_alive(self) -> bool:
        """Whether more events come."""
        return not self._has_ended


def _timed_events(path: Path, skipped: SkippedLines, max_gap_seconds: float) -> Iterator[tuple[float, e.Event]]:
    """Yield the events of a replay, each with the seconds of training since the first; a longer gap is shortened.

    Raises `OSError` if the journal can't be read.
    """
    due_seconds, before = 0.0, math.inf
    for event in read_journal(path, skipped):
        if isinstance(event, _NOT_REPLAYED):
            continue
        # a resumed run's clock may go back
        due_seconds += min(max(0.0, event.elapsed_seconds - before), max_gap_seconds)
        before = event.elapsed_seconds
        yield due_seconds, event


def length_of(path: Path, max_gap_seconds: float = math.inf) -> float:
    """Return the seconds of training of a replay. Raises `CheckpointError` if the journal can't be read."""
    try:
        return max((seconds for seconds, _ in _timed_events(path, SkippedLines(), max_gap_seconds)), default=0.0)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
