"""What a run is doing before its first event: a few words, how far it is, and what it has found out so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

OnProgress = Callable[[float | None, str], None]
"""Called with the share that is done, 0 to 1 (None if unknown), and what is being done, in a few words."""


def no_progress(_share: float | None, _doing: str) -> None:
    """Ignore the progress."""


def part_of(on_progress: OnProgress, begin: float, end: float) -> OnProgress:
    """Return a callback for a part of the work that reaches from `begin` to `end` of the whole."""

    def within(share: float | None, doing: str) -> None:
        on_progress(None if share is None else begin + (end - begin) * share, doing)

    return within


@dataclass(frozen=True)
class Stage:
    """A moment on the way to `RunStarted`, for a person to watch."""

    text: str
    """What is being done: "loading torch", "reading the tweets"."""
    share: float | None = None
    """How much of it is done, 0 to 1; None where nobody knows."""
    detail: str = ""
    """What just now is being worked on, in a few words that change often."""
    report: tuple[str, ...] = ()
    """What was read, in a few lines; empty before it was."""

    def __str__(self) -> str:
        """Return what is being done and worked on as one line."""
        return f"{self.text}: {self.detail}" if self.detail else self.text
