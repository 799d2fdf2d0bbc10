"""A sample of a checkpoint's model: the last tweet before it in the journal of its run. Never runs the model.

The journal may have hundreds of megabytes, so it is read backwards, up to `_MAX_BYTES`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.metadata import CheckpointInfo
from engine.errors import TweetgenError
from engine.model.vocab import Vocab
from engine.protocol import codec, events
from engine.protocol.events import RunStarted, TweetSampled
from engine.storage.files import open_regular
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal import tweet_in

_PART_BYTES = 1024 * 1024
_MAX_BYTES = 64 * 1024 * 1024
"""How much of the journal's end is searched: a few million steps."""


def sample_of(entry: CheckpointEntry) -> TweetSampled | None:
    """Return the last tweet that the run sampled before the checkpoint, or None if its journal has none.

    Reads the disk: call it on a thread of its own.
    """
    if entry.info is None:
        return None
    try:
        journal = _journal_of(entry, entry.info)
        with open_regular(journal) as file:
            if _is_of_same_run(file.readline(_PART_BYTES), entry.info):
                return _last_tweet(file, entry.info)
    except (OSError, TweetgenError, codec.DecodeError):
        return None
    return None


def _journal_of(entry: CheckpointEntry, info: CheckpointInfo) -> Path:
    """Return the path of the journal of the checkpoint's run; it need not exist. Raises `ConfigError`."""
    if not entry.is_named:
        return RunFolder(entry.path.parent.parent).journal_path
    return folder_of_run(info.run).journal_path


def _is_of_same_run(first_line: bytes, info: CheckpointInfo) -> bool:
    """Return whether a journal belongs to the checkpoint's run, not to another run of that name."""
    started = events.from_json(first_line)
    return isinstance(started, RunStarted) and (started.corpus, started.vocab_size) == (
        info.corpus_name,
        len(Vocab(info.vocab)),
    )


def _last_tweet(file: BinaryIO, info: CheckpointInfo) -> TweetSampled | None:
    """Search the journal backwards for the last tweet before the checkpoint."""
    end = file.seek(0, os.SEEK_END)
    first, rest = max(0, end - _MAX_BYTES), b""
    while end > first:
        start = max(first, end - _PART_BYTES)
        file.seek(start)
        rest, *lines = (file.read(end - start) + rest).split(b"\n")  # the first may be the end of a line
        for line in reversed(lines):
            if b'"TweetSampled"' in line[:40] and (tweet := tweet_in(line)) and _is_before(tweet, info):
                return tweet
        end = start
    return None


def _is_before(tweet: TweetSampled, info: CheckpointInfo) -> bool:
    """Return whether a tweet was sampled before the checkpoint was saved."""
    return tweet.step <= info.step and tweet.elapsed_seconds <= info.elapsed_seconds
