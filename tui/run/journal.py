"""Reads a run's journal: the view that it leads to, and the events of a replay. Never writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path

from engine.errors import CheckpointError
from engine.protocol.events import CommandRefused, Event, RunFailed, RunFinished, TextCompleted, TweetRead
from engine.storage.folders import RunFolder
from engine.storage.journal_reader import SkippedLines, read_journal
from tui.run.folding import fold
from tui.run.view import RunView

_EVENTS_AT_ONCE = 1000


def read_history(path: Path, until: Event | None = None) -> tuple[RunView, str]:
    """Fold a journal into a view; return it with a warning about skipped lines, empty without any.

    Stops before the event `until`. The view of a missing file is that of a new run. Raises `OSError` where it can't be
    read.
    """
    skipped = SkippedLines()
    view = RunView()
    events = takewhile(lambda event: event != until, read_journal(path, skipped))
    while some := list(islice(events, _EVENTS_AT_ONCE)):
        view = fold(view, some)
    return view, skipped.warning


def require_journal(folder: RunFolder) -> None:
    """Raise `CheckpointError` where there is nothing to replay or export."""
    skipped = SkippedLines()
    try:
        first = next(iter(read_journal(folder.journal_path, skipped)), None)
    except OSError as error:
        raise CheckpointError(f"{folder.journal_path} can't be read: {error.strerror}.") from error
    if first is None and (skipped.num_torn or skipped.num_newer):
        raise CheckpointError(
            f"No line of {folder.journal_path} is a valid event.",
            "If a newer version wrote it, update tweetgen-tui." if skipped.num_newer else "",
        )
    if first is None:
        raise CheckpointError(
            f"The run {folder.name} has no journal.",
            f"It is written to {folder.journal_path} during training.",
        )


def replayed_events(path: Path, skipped: SkippedLines) -> Iterator[Event]:
    """Yield the events of a run without the ends of its sessions and the answers to questions of its screens."""
    for event in read_journal(path, skipped):
        if not isinstance(event, RunFinished | RunFailed | CommandRefused | TextCompleted | TweetRead):
            yield event
