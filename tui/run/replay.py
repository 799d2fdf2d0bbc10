"""`ReplayedRun`: a run replayed from its journal, at its own rate times a factor.

It reads the journal line by line without a lock, so that a run of any length can be replayed, even while it trains. It
writes nothing, and refuses every command but `Pause`, `Resume` and `Stop`. No thread: `drain` reads what is due.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from engine.config.run import RunConfig
from engine.errors import CheckpointError
from engine.protocol.commands import Command, Pause, Resume, Stop
from engine.protocol.events import CommandRefused, Event, Paused, Resumed, StepsFinished, Warned
from engine.storage.journal import SkippedLines
from tui.run.connection import RunConnection, Update, end_event, failure_event, time_of
from tui.run.journal import replayed_events

TITLE = "This is a replay"
REASON = "A replay can be paused or left, but not changed."
"""Why commands are refused."""
END = "end of the replay"
"""Why a replay has ended that was not stopped."""
_DRAIN_SECONDS = 0.03
"""How long a drain may read, so that it delays no key."""
_MAX_EVENTS = 150
"""As many as the screen handles in one tick without delaying a key."""
_MAX_MERGED_STEPS = 1000


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
        self._coming = timed_events(path, self.skipped, max_gap_seconds * speed)
        self._next: tuple[float, Event] | None = None
        self._began_at = clock()
        self._paused_at: float | None = None
        self._last: Event | None = None
        self._answers: list[Event] = []
        self._has_ended = False

    def start(self) -> None:
        """Begin to play."""
        self._began_at = self._clock()

    def drain(self) -> Update:
        """Return the events that are due since the last call, reports of successive steps as one."""
        groups: list[list[Event]] = [[answer] for answer in self._answers]
        self._answers, looked_at = [], self._clock()
        try:
            while self._paused_at is None and not self._has_ended and len(groups) < _MAX_EVENTS:
                self._next = self._next or next(self._coming, None)
                if self._next is None:
                    if self.skipped.warning:
                        groups.append([Warned(**time_of(self._last), message=self.skipped.warning)])
                    groups.append([end_event(END, self._last)])
                    self._has_ended = True
                elif self._next[0] > self._played_seconds or self._clock() - looked_at > _DRAIN_SECONDS:
                    break
                else:
                    (_, self._last), self._next = self._next, None
                    if not (groups and _extends(groups[-1], self._last)):
                        groups.append([])
                    groups[-1].append(self._last)
        except OSError as error:
            unreadable = CheckpointError(f"{self._path} can't be read: {error.strerror or error}.")
            groups.append([failure_event(unreadable, self._last)])
            self._has_ended = True
        return Update(tuple(map(_joined, groups)))

    @property
    def _played_seconds(self) -> float:
        seconds = self._clock() - self._began_at
        return seconds * self._speed if seconds > 0 else 0.0  # 0 times an infinite speed would be NaN

    def send(self, command: Command) -> None:
        """Pause, resume or end; refuse every other command. Nothing follows the end."""
        if self._has_ended:
            return
        now = time_of(self._last)
        match command:
            case Stop(reason=reason):
                self._answers.append(end_event(reason, self._last))
                self._has_ended = True
            case Pause():
                self._paused_at = self._clock() if self._paused_at is None else self._paused_at
                self._answers.append(Paused(**now))
            case Resume():
                self._began_at += 0.0 if self._paused_at is None else self._clock() - self._paused_at
                self._paused_at = None
                self._answers.append(Resumed(**now))
            case _:
                hint = f"tweetgen-tui --resume {self._path.parent.name} continues the run itself."
                name = type(command).__name__
                self._answers.append(CommandRefused(**now, command=name, title=TITLE, detail=REASON, hint=hint))

    def wait(self, seconds: float) -> bool:  # noqa: ARG002 - no thread to wait for
        """Return True: another run may start at once."""
        return True

    @property
    def is_alive(self) -> bool:
        """Whether more events come."""
        return not self._has_ended


def _extends(group: Sequence[Event], event: Event) -> bool:
    """Return whether an event can be merged with a group: it reports the steps right after theirs."""
    first, last = group[0], group[-1]
    if not (isinstance(first, StepsFinished) and isinstance(event, StepsFinished)):
        return False
    return event.first_step == last.step + 1 and event.first_step - first.first_step < _MAX_MERGED_STEPS


def _joined(group: Sequence[Event]) -> Event:
    """Return the only event of a group, or one for its reports of steps."""
    reports = [event for event in group if isinstance(event, StepsFinished)]
    if len(reports) < 2:
        return group[0]
    return msgspec.structs.replace(
        reports[-1],
        first_step=reports[0].first_step,
        train_losses=tuple(chain.from_iterable(report.train_losses for report in reports)),
        grad_norms=tuple(chain.from_iterable(report.grad_norms for report in reports)),
        learning_rates=tuple(chain.from_iterable(report.learning_rates for report in reports)),
    )


def timed_events(path: Path, skipped: SkippedLines, max_gap_seconds: float = math.inf) -> Iterator[tuple[float, Event]]:
    """Yield the events of a replay, each with the seconds of training since the first; a longer gap is shortened.

    Raises `OSError` if the journal can't be read.
    """
    due_seconds, before = 0.0, math.inf
    for event in replayed_events(path, skipped):
        # a resumed run's clock may go back
        due_seconds += min(max(0.0, event.elapsed_seconds - before), max_gap_seconds)
        before = event.elapsed_seconds
        yield due_seconds, event


def length_of(path: Path, max_gap_seconds: float = math.inf) -> float:
    """Return the seconds of training of a replay. Raises `CheckpointError` if the journal can't be read."""
    try:
        return max((seconds for seconds, _ in timed_events(path, SkippedLines(), max_gap_seconds)), default=0.0)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
