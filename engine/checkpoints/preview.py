"""A tweet that the model of a checkpoint wrote: the last one before it in the journal of its run.

The journal may be hundreds of megabytes, so it is read backwards, and no more than a part of it. Knows no torch.
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
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal_reader import tweet_in
from engine.storage.safe_open import open_regular

_PART_BYTES = 1024 * 1024
_MAX_BYTES = 64 * 1024 * 1024
"""How far before the journal's end a tweet may lie: a few million steps."""


def sample_of(entry: CheckpointEntry) -> TweetSampled | None:
    """Return the last tweet that the run wrote before the checkpoint.

    None where the run or its tweets are not here. Reads the disk: for a thread of its own.
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
    """Return the last tweet before the checkpoint, looked for from the end of the journal on."""
    end = file.seek(0, os.SEEK_END)
    first, rest = max(0, end - _MAX_BYTES), b""
    while end > first:
        start = max(first, end - _PART_BYTES)
        file.seek(start)
        rest, *lines = (file.read(end - start) + rest).split(b"\n")  # the first may have begun before
        for line in reversed(lines):
            if b'"TweetSampled"' in line[:40] and (tweet := tweet_in(line)) and _is_before(tweet, info):
                return tweet
        end = start
    return None


def _is_before(tweet: TweetSampled, info: CheckpointInfo) -> bool:
    """Return whether a tweet was written before the checkpoint was saved."""
    return tweet.step <= info.step and tweet.elapsed_seconds <= info.elapsed_seconds
