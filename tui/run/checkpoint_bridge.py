"""`CheckpointBridge`: the interface of a screen to the weights of a checkpoint, for a run that is over.

A thread loads the file and answers questions; torch is imported there. Its events belong to no run's stream.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from engine.protocol.events import CommandRefused, Event
from engine.protocol.insight import Insight, ScoreUnits
from tui.run.connection import to_tweetgen_error


class Answers(Protocol):
    """What the bridge needs of `engine.insight.checkpoint_answers.CheckpointAnswers`."""

    def answer(self, command: Insight) -> Event:
        """Return the answer to a question. Raises `TweetgenError`."""


OpenAnswers = Callable[[Path], Answers]


def open_checkpoint_answers(path: Path) -> Answers:
    """Import torch and load a checkpoint. Called on the bridge's thread."""
    from engine.insight.checkpoint_answers import CheckpointAnswers

    return CheckpointAnswers(path)


class CheckpointBridge:
    """Answers questions about one checkpoint. For the screen's thread; no method blocks."""

    def __init__(self, path: Path, open_answers: OpenAnswers = open_checkpoint_answers) -> None:
        """Prepare; nothing is loaded before the first question."""
        self._path = path
        self._open_answers = open_answers
        self._answers: Answers | None = None
        self._commands: queue.SimpleQueue[Insight | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        # a daemon: a long answer must not keep the program from ending
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)

    def send(self, command: Insight) -> None:
        """Ask a question, in place of an unanswered one of its type and request."""
        if self._thread.ident is None:
            self._thread.start()
        self._commands.put(command)

    def drain(self) -> tuple[Event, ...]:
        """Return the answers since the last call; a question that can't be answered has a `CommandRefused`."""
        events = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except queue.Empty:
                return tuple(events)

    def close(self) -> None:
        """End the thread after the answer that it is working on."""
        self._commands.put(None)

    def _run(self) -> None:
        """Answer questions until `close`, the oldest first but `ScoreUnits`, which is slow, last. The thread's body."""
        waiting: dict[tuple[type[Insight], int], Insight] = {}
        while True:
            while not waiting or not self._commands.empty():
                command = self._commands.get()
                if command is None:
                    return
                waiting[type(command), command.request] = command
            key = min(waiting, key=lambda each: each[0] is ScoreUnits)
            self._events.put(self._answer(waiting.pop(key)))

    def _answer(self, command: Insight) -> Event:
        """Return the answer to a question, or its refusal; a checkpoint that is not loaded is tried again."""
        try:
            if self._answers is None:
                self._answers = self._open_answers(self._path)
            return self._answers.answer(command)
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the screen must show it
            error = to_tweetgen_error(raised, "A question about a checkpoint")
            name = type(command).__name__
            return CommandRefused(
                step=0, elapsed_seconds=0.0, command=name, title=error.title, detail=error.message, hint=error.hint
            )
