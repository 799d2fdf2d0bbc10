"""Reads a run's journal: the view that it leads to. Never writes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path

from engine.errors import CheckpointError
from engine.protocol.events import Event, RanksMeasured, StepTimes, TweetSampled
from engine.storage.folders import RunFolder
from engine.storage.journal import SkippedLines, read_events, read_journal, read_lines
from tui.run.fold import MAX_TIMES, MAX_TWEETS, fold
from tui.run.view import RunView

_EVENTS_AT_ONCE = 1000
_KIND_LENGTH = len(b'{"event":"StepTimes"')
_TWEET, _TIMES, _RANKS = (
    f'{{"event":"{kind.__name__}"'.encode()[:_KIND_LENGTH] for kind in (TweetSampled, StepTimes, RanksMeasured)
)
_NUM_LATEST = {_TWEET: MAX_TWEETS // 2, _TIMES: MAX_TIMES, _RANKS: 1}
"""How many of the latest events of a kind are in a view."""


def read_history(path: Path, until: Event | None = None) -> tuple[RunView, str]:
    """Fold a journal into a view; return it with a warning about skipped lines, empty without any.

    Stops before the event `until`. The view of a missing file is that of a new run. Raises `OSError` where it can't be
    read. Of many tweets only those of the view are decoded, and of the measurements the latest: that takes most time.
    """
    counts = Counter(line[:_KIND_LENGTH] for line in read_lines(path))  # the run may append more meanwhile
    every = max(counts[_TWEET] - 1, 0) // MAX_TWEETS * 2 + 1
    seen: Counter[bytes] = Counter()
    num_tweets_left_out = 0

    def is_in_view(line: bytes) -> bool:
        nonlocal num_tweets_left_out
        kind = line[:_KIND_LENGTH]
        if kind not in _NUM_LATEST:
            return True
        number = seen[kind]
        seen[kind] += 1
        if number >= counts[kind] - _NUM_LATEST[kind]:
            return True
        is_included = kind == _TWEET and number % every == 0
        num_tweets_left_out += kind == _TWEET and not is_included
        return is_included

    view, skipped = RunView(), SkippedLines()
    events = takewhile(lambda event: event != until, read_events(filter(is_in_view, read_lines(path)), skipped))
    while some := list(islice(events, _EVENTS_AT_ONCE)):
        view = fold(view, some)
    return replace(view, num_tweets=view.num_tweets + num_tweets_left_out), skipped.warning


def require_journal(folder: RunFolder) -> None:
    """Raise `CheckpointError` where there is nothing to replay or export."""
    skipped = SkippedLines()
    try:
        first = next(iter(read_journal(folder.journal_path, skipped)), None)
    except OSError as error:
        raise CheckpointError(f"{folder.journal_path} can't be read: {error.strerror}.") from error
    if first is None and skipped.num_torn:
        raise CheckpointError(f"No line of {folder.journal_path} is a valid event.")
    if first is None:
        raise CheckpointError(
            f"The run {folder.name} has no journal.",
            f"It is written to {folder.journal_path} during training.",
        )
