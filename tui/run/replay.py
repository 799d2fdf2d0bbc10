"""A run replayed from its journal, at its own rate times a factor: a session for the bridge, without an engine.

It reads the journal line by line without a lock, so that a run of any length can be replayed, even while it trains. It
writes nothing, and refuses every command but `Pause`, `Resume` and `Stop`.

`JournalBridge`: the interface of a screen to a replay that is recorded: its events come by a clock, on no thread.
"""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from engine.config.run import RunConfig
from engine.errors import CheckpointError
from engine.progress import Stage
from engine.protocol.commands import Command, Pause, Resume, Stop
from engine.protocol.events import (
    CommandRefused,
    Event,
    Paused,
    Resumed,
    RunFailed,
    RunFinished,
    StepsFinished,
    Warned,
)
from engine.storage.folders import RunFolder
from engine.storage.journal import SkippedLines
from tui.process.local import EngineBridge, OnStage, Session, open_training_session
from tui.run.connection import Update
from tui.run.journal import replayed_events

TITLE = "This is a replay"
REASON = "A replay can be paused or left, but not changed."
"""Why commands are refused."""
END = "end of the replay"
"""Why a replay has ended that was not stopped."""
_SLICE_SECONDS = 0.05
_MAX_UNDRAINED = 150
"""As many as the screen handles in one tick without delaying a key."""
_MAX_MERGED_STEPS = 1000


@dataclass
class OpenReplay:
    """Opens the replay of a run; for any other config a session that trains, so that other tweets can be opened."""

    config: RunConfig
    folder: RunFolder
    speed: float
    num_undrained: Callable[[], int] = field(default=lambda: 0)
    """Events that the screen has yet to drain."""

    def __call__(self, config: RunConfig, on_stage: OnStage) -> Session:
        """Return the session for `config`."""
        if config is not self.config:
            return open_training_session(config, on_stage)
        on_stage(Stage("reading the journal"))
        return ReplaySession(self.folder.journal_path, self.speed, self.num_undrained)


class ReplaySession:
    """Replays one journal."""

    num_waiting = 0

    def __init__(
        self,
        path: Path,
        speed: float,
        num_undrained: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Replay the journal at `path`, `speed` times as fast as it trained, or as fast as the screen drains events."""
        self._path = path
        self._num_undrained = num_undrained
        self._speed = speed
        self._clock = clock
        self._last: Event | None = None
        self._pending: list[StepsFinished] = []
        self._is_paused = False
        self._skipped = SkippedLines()

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command], /) -> None:
        """Replay to the end, or until `Stop`; only one line of the journal is in memory."""
        try:
            reason = self._play(emit, commands) or END
        except OSError as error:
            detail = f"{self._path} can't be read: {error.strerror or error}."
            emit(RunFailed(**self._now, title=CheckpointError.title, detail=detail, hint=""))
            return
        if self._skipped.warning:
            emit(Warned(**self._now, message=self._skipped.warning))
        emit(RunFinished(**self._now, reason=reason, total_seconds=self._now["elapsed_seconds"], total_chars=0))

    def _play(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command]) -> str:
        """Emit the events, each at its time; return why the user stopped it, or an empty string."""
        played_seconds = 0.0
        last_look = self._clock()
        for due_seconds, event in timed_events(self._path, self._skipped):
            if not self._extends_pending(event):
                self._flush_pending(emit)
            while due_seconds > played_seconds or self._is_paused or self._num_undrained() >= _MAX_UNDRAINED:
                self._flush_pending(emit)
                reason = self._handle_command(emit, commands)
                if reason is not None:
                    return reason
                now = self._clock()
                if not self._is_paused:
                    # 0 times an infinite speed would be NaN
                    played_seconds += (now - last_look) * self._speed if now > last_look else 0.0
                last_look = now
            self._last = event
            if isinstance(event, StepsFinished):
                self._pending.append(event)
            else:
                emit(event)
        self._flush_pending(emit)
        return ""

    def _extends_pending(self, event: Event) -> bool:
        """Return whether an event can be merged with the pending ones: it reports the steps right after theirs."""
        if not self._pending or not isinstance(event, StepsFinished):
            return False
        is_next = event.first_step == self._pending[-1].step + 1
        return is_next and event.first_step - self._pending[0].first_step < _MAX_MERGED_STEPS

    def _flush_pending(self, emit: Callable[[Event], None]) -> None:
        """Emit the pending reports of steps as one event."""
        if self._pending:
            emit(_joined(self._pending))
            self._pending = []

    def _handle_command(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command]) -> str | None:
        """Wait for a short time or a command, and handle it; return the reason of a `Stop`."""
        try:
            command = commands.get(timeout=_SLICE_SECONDS)
        except queue.Empty:
            return None
        match command:
            case Stop(reason=reason):
                return reason
            case Pause():
                self._is_paused = True
                emit(Paused(**self._now))
            case Resume():
                self._is_paused = False
                emit(Resumed(**self._now))
            case _:
                emit(self._refusal(command))
        return None

    def _refusal(self, command: Command) -> CommandRefused:
        hint = f"tweetgen-tui --resume {self._path.parent.name} continues the run itself."
        return CommandRefused(**self._now, command=type(command).__name__, title=TITLE, detail=REASON, hint=hint)

    @property
    def _now(self) -> dict[str, Any]:
        """Step and time of the last event."""
        last = self._last
        return {"step": last.step if last else 0, "elapsed_seconds": last.elapsed_seconds if last else 0.0}


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


def _joined(reports: Sequence[StepsFinished]) -> StepsFinished:
    """Merge reports of steps without a gap between them."""
    losses = tuple(chain.from_iterable(report.train_losses for report in reports))
    norms = tuple(chain.from_iterable(report.grad_norms for report in reports))
    rates = tuple(chain.from_iterable(report.learning_rates for report in reports))
    first_step = reports[0].first_step
    return msgspec.structs.replace(
        reports[-1], first_step=first_step, train_losses=losses, grad_norms=norms, learning_rates=rates
    )


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
