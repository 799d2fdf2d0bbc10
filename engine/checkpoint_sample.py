"""A tweet that the model of a checkpoint wrote: the last one before it in the journal of its run.

The journal may be hundreds of megabytes, so the place is found by halving, on the training time that every line holds
and that goes back only where a run was killed; from there it is read backwards, a bounded part of it. Knows no torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine import events, wire
from engine.checkpoint_info import CheckpointInfo
from engine.checkpoint_list import CheckpointEntry
from engine.errors import TweetgenError
from engine.events import RunStarted, TweetSampled
from engine.folders import RunFolder, folder_of_run
from engine.journal import tweet_in
from engine.regular_files import open_regular
from engine.vocab import Vocab

_CLOSE_BYTES = 64 * 1024
_MAX_BYTES = 16 * 1024 * 1024
"""How far before a checkpoint its tweet may lie; steps that no tweet follows so long tell nothing of the model."""
_MAX_LINE_BYTES = 1024 * 1024
"""What is longer is no line that tells of a moment."""


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """What is read of every line."""

    elapsed_seconds: float


def sample_of(entry: CheckpointEntry) -> TweetSampled | None:
    """Return the last tweet that the run wrote before the checkpoint.

    None where the run or its tweets are not here. Reads the disk: for a thread of its own.
    """
    if entry.info is None:
        return None
    try:
        journal = _journal_of(entry, entry.info)
        with open_regular(journal) as file:
            if _is_of_same_run(file.readline(_MAX_LINE_BYTES), entry.info):
                return _last_tweet(file, entry.info)
    except (OSError, TweetgenError, wire.WireError):
        return None
    return None


def _journal_of(entry: CheckpointEntry, info: CheckpointInfo) -> Path:
    """Return where the journal of a checkpoint's run is, if it is here. Raises `ConfigError`."""
    if not entry.is_named:
        return RunFolder(entry.path.parent.parent).journal_path
    return folder_of_run(info.run).journal_path


def _is_of_same_run(first_line: bytes, info: CheckpointInfo) -> bool:
    """Return whether a journal is that of a checkpoint's run, and not of one elsewhere that had the same name."""
    started = events.from_json(first_line)
    return isinstance(started, RunStarted) and (started.corpus, started.vocab_size) == (
        info.corpus_name,
        len(Vocab(info.vocab)),
    )


def _last_tweet(file: BinaryIO, info: CheckpointInfo) -> TweetSampled | None:
    """Return the last tweet before the checkpoint, from ever more of what stands before its place."""
    end = _place_of(file, info.elapsed_seconds)
    num_bytes = 4 * _CLOSE_BYTES
    while True:
        start = max(0, end - num_bytes)
        file.seek(start)
        for line in reversed(file.read(end - start).splitlines()):
            if b'"TweetSampled"' in line[:40] and (tweet := tweet_in(line)) and _is_before(tweet, info):
                return tweet
        if start == 0 or num_bytes >= _MAX_BYTES:
            return None
        num_bytes *= 4


def _place_of(file: BinaryIO, elapsed_seconds: float) -> int:
    """Return where in a journal the lines of that time end, give or take a few."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _CLOSE_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(_MAX_LINE_BYTES)
        try:
            is_before = wire.decode(file.readline(_MAX_LINE_BYTES), _Moment).elapsed_seconds <= elapsed_seconds
        except wire.WireError:  # a torn line, or the last one
            is_before = False
        low, high = (middle, high) if is_before else (low, middle)
    file.seek(high)
    file.readline(_MAX_LINE_BYTES)
    file.readline(_MAX_LINE_BYTES)
    return file.tell()


def _is_before(tweet: TweetSampled, info: CheckpointInfo) -> bool:
    """Return whether a tweet was written before the checkpoint was saved."""
    return tweet.step <= info.step and tweet.elapsed_seconds <= info.elapsed_seconds
