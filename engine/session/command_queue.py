"""`CommandQueue`: the commands of a session, from the inbox into the order of execution."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable

from engine.protocol import commands
from engine.protocol.commands import Command, Stop

MAX_CHANGES_BEFORE_STOP = 32
"""Commands that arrived before a `Stop` and are still executed first, queries not counted."""
QUERIES = commands.SampleNow | commands.SampleLadder | commands.CompleteText | commands.ReadTweet | commands.Question
"""Commands that change nothing and can be executed in the middle of an evaluation."""
_AT_ONCE = commands.SetSampling | commands.Insight | commands.MeasureBaselines
"""Commands that are executed whenever they arrive; questions are only queued by that."""


class CommandQueue:
    """Used by the session's thread only, except for `len`, which any thread may call."""

    def __init__(self, inbox: queue.SimpleQueue[Command]) -> None:
        self._inbox = inbox
        self._early: deque[Command] = deque()
        self._waiting: deque[Command] = deque()

    def __len__(self) -> int:
        """Return how many received commands wait for their execution."""
        return len(self._waiting)

    def early_stop(self) -> Stop | None:
        """Return a `Stop` that arrived during setup, if any; other commands are stored for the run."""
        while (command := self._next_of_inbox()) is not None:
            if isinstance(command, Stop):
                return command
            self._early.append(command)
        return None

    def receive(self, execute_now: Callable[[Command], None]) -> None:
        """Drain the inbox. A `SetSampling` or a question is executed at once, and a `Stop` moves ahead."""
        while (command := self._next_new()) is not None:
            if isinstance(command, _AT_ONCE):
                execute_now(command)
            elif isinstance(command, Stop):
                self._put_stop(command)
            else:
                self._waiting.append(command)

    def pop(self) -> Command:
        """Remove and return the command to execute next."""
        return self._waiting.popleft()

    @property
    def has_query_next(self) -> bool:
        """Whether the next command is one of `QUERIES`."""
        return bool(self._waiting) and isinstance(self._waiting[0], QUERIES)

    @property
    def has_stop(self) -> bool:
        """Whether a `Stop` waits."""
        return any(isinstance(command, Stop) for command in self._waiting)

    def drain_remaining(self) -> list[Command]:
        """Drain the inbox and return all commands that the end of the run leaves unexecuted."""
        while (command := self._next_new()) is not None:
            self._waiting.append(command)
        return list(self._waiting)

    def _put_stop(self, stop: Stop) -> None:
        """Queue a `Stop` ahead of all queries, and behind the first of the earlier changes."""
        before: list[Command] = []
        after: list[Command] = []
        for command in self._waiting:
            is_before = not isinstance(command, QUERIES) and len(before) < MAX_CHANGES_BEFORE_STOP
            (before if is_before else after).append(command)
        self._waiting = deque([*before, stop, *after])

    def _next_new(self) -> Command | None:
        return self._early.popleft() if self._early else self._next_of_inbox()

    def _next_of_inbox(self) -> Command | None:
        try:
            return self._inbox.get_nowait()
        except queue.Empty:
            return None
