"""Progress of long work: `Stage` (what the setup of a run does), callbacks, and work that pauses, `CooperativeTask`.

`BatchCursor` is how far a run has come in its tweets.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from engine.protocol.codec import Count

OnProgress = Callable[[float | None, str], None]
"""Called with the share done, 0 to 1 (None if unknown), and a short description of the current work."""


def no_progress(_share: float | None, _doing: str) -> None:
    """Discard the progress."""


def part_of(on_progress: OnProgress, begin: float, end: float) -> OnProgress:
    """Return a callback for the part of the work between the shares `begin` and `end` of the whole."""

    def within(share: float | None, doing: str) -> None:
        on_progress(None if share is None else begin + (end - begin) * share, doing)

    return within


@dataclass(frozen=True)
class Stage:
    """A moment of the setup, or a compilation during the training, for display."""

    text: str
    """The current step: "loading torch", "reading the tweets"."""
    share: float | None = None
    """The share of it that is done, 0 to 1; None if unknown."""
    detail: str = ""
    """The current item, in a few words that change often."""
    report: tuple[str, ...] = ()
    """The summary of the corpus, in a few lines; empty before it is read."""

    def __str__(self) -> str:
        return f"{self.text}: {self.detail}" if self.detail else self.text


@dataclass(frozen=True, kw_only=True)
class BatchCursor:
    """The next batch of a run: number of the epoch, and of the batch in it, both from 0, as checkpoints store it."""

    epoch: Count = 0
    batch: Count = 0


Result = TypeVar("Result")
CooperativeTask: TypeAlias = Generator[None, None, Result]
"""Work that yields after each few milliseconds, so that other work can go on between, and returns its result."""


def run_to_end(task: CooperativeTask[Result]) -> Result:
    """Run a task without a pause and return its result."""
    while True:
        try:
            next(task)
        except StopIteration as end:
            result: Result = end.value
            return result
