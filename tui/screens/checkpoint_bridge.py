"""`CheckpointBridge`: answers questions about the weights of a checkpoint, for the X-ray of a run that is over.

A thread loads the file and answers; torch is imported there. The answers belong to no run's stream of events.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.protocol.events import CommandRefused, Event
from engine.protocol.insight import Insight, ScoreUnits
from tui.run.connection import to_tweetgen_error

if TYPE_CHECKING:  # it imports torch
    from engine.insight.answers import CheckpointAnswers


class CheckpointBridge:
    """Answers questions about one checkpoint. For the screen's thread; no method blocks."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is loaded before the first question."""
        self._path = path
        self._commands: queue.SimpleQueue[Insight | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        # a daemon: a long answer must not keep the program from ending
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)

    def send(self, command: Insight) -> None:
        """Ask a question, in place of an unanswered one of its type and request."""
        if self._thread.ident is None:
            self._thread.start()
        self._commands.put(command)

    def drain(self) -> Iterator[Event]:
        """Yield the answers since the last call; a question that can't be answered has a `CommandRefused`."""
        while not self._events.empty():
            yield self._events.get()

    def close(self) -> None:
        """End the thread after the answer that it is working on."""
        self._commands.put(None)

    def _run(self) -> None:
        """Answer questions until `close`, the oldest first but `ScoreUnits`, which is slow, last. The thread's body."""
        answers: CheckpointAnswers | None = None
        waiting: dict[tuple[type[Insight], int], Insight] = {}
        while True:
            while not waiting or not self._commands.empty():
                command = self._commands.get()
                if command is None:
                    return
                waiting[type(command), command.request] = command
            command = waiting.pop(min(waiting, key=lambda each: each[0] is ScoreUnits))
            try:
                if answers is None:  # where loading has failed, it is tried again
                    from engine.insight.answers import CheckpointAnswers

                    answers = CheckpointAnswers(self._path)
                self._events.put(answers.answer(command))
            except BaseException as raised:  # noqa: BLE001 - whatever it is, the screen must show it
                error = to_tweetgen_error(raised, "A question about a checkpoint")
                self._events.put(
                    CommandRefused(
                        step=0,
                        elapsed_seconds=0.0,
                        command=type(command).__name__,
                        title=error.title,
                        detail=error.message,
                        hint=error.hint,
                    )
                )
