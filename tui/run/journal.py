"""Reads a run's journal: the view that it leads to, and the events of a replay. Never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path

from engine.errors import CheckpointError
from engine.protocol.events import (
    CommandRefused,
    Event,
    RunFailed,
    RunFinished,
    StepTimes,
    TextCompleted,
    TweetRead,
    TweetSampled,
)
from engine.storage.folders import RunFolder
from engine.storage.journal_reader import SkippedLines, read_events, read_journal, read_lines
from tui.run.folding import fold
from tui.run.training_events import MAX_TIMES, MAX_TWEETS
from tui.run.view import RunView

_EVENTS_AT_ONCE = 1000
_KIND_LENGTH = len(b'{"event":"StepTimes"')
_TWEET, _TIMES = (f'{{"event":"{kind.__name__}"'.encode()[:_KIND_LENGTH] for kind in (TweetSampled, StepTimes))


def read_history(path: Path, until: Event | None = None) -> tuple[RunView, str]:
    """Fold a journal into a view; return it with a warning about skipped lines, empty without any.

    Stops before the event `until`. The view of a missing file is that of a new run. Raises `OSError` where it can't be
    read.
    """
    skipped, selection = SkippedLines(), _Selection(path)
    view = RunView()
    lines = filter(selection.includes, read_lines(path))
    events = takewhile(lambda event: event != until, read_events(lines, skipped))
    while some := list(islice(events, _EVENTS_AT_ONCE)):
        view = fold(view, some)
    return replace(view, num_tweets=view.num_tweets + selection.num_tweets_left_out), skipped.warning


class _Selection:
    """The lines of a journal that its view depends on: of many tweets a part, as in a view, and the latest times.

    The others are not even decoded, which would take most of the time.
    """

    def __init__(self, path: Path) -> None:
        """Count the lines of a journal; others may follow while it is read. Raises `OSError`."""
        counts = Counter(map(_kind_of, read_lines(path)))
        self._num_tweets, self._num_times = counts[_TWEET], counts[_TIMES]
        self._first_recent = self._num_tweets - MAX_TWEETS // 2
        self._every = max(self._num_tweets - 1, 0) // MAX_TWEETS * 2 + 1
        self._tweet = self._times = -1
        self.num_tweets_left_out = 0

    def includes(self, line: bytes) -> bool:
        """Return whether to decode the next line."""
        kind = _kind_of(line)
        if kind == _TIMES:
            self._times += 1
            return self._times >= self._num_times - MAX_TIMES
        if kind != _TWEET:
            return True
        self._tweet += 1
        is_included = self._tweet >= self._first_recent or self._tweet % self._every == 0
        self.num_tweets_left_out += not is_included
        return is_included


def _kind_of(line: bytes) -> bytes:
    """Return the beginning of a line, by which tweets and times can be recognized."""
    return line[:_KIND_LENGTH]


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
