"""What a run's journal leads to: the curve, tweets and settings that a run opens with which goes on. No framework."""

from __future__ import annotations

from itertools import islice, takewhile
from pathlib import Path

from engine.protocol.events import Event
from engine.storage.journal_reader import SkippedLines, read_journal
from tui.run.reducer import fold
from tui.run.view import RunView

_EVENTS_AT_ONCE = 1000


def read_history(path: Path, until: Event | None = None) -> tuple[RunView, str]:
    """Return the view that a journal leads to, and what the user should know of what is left out of it.

    Only the events before `until` count, if it is there. A missing file leads nowhere. Raises `OSError` where it can't
    be read.
    """
    skipped = SkippedLines()
    view = RunView()
    events = takewhile(lambda event: event != until, read_journal(path, skipped))
    while some := list(islice(events, _EVENTS_AT_ONCE)):
        view = fold(view, some)
    return view, skipped.warning
