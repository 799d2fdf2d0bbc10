"""Tweets as text, JSON lines or CSV, by the suffix of the file, and files that replace no other one unasked.

A tweet takes one line in every format. In CSV, a cell that a spreadsheet would evaluate as a formula gets a leading
apostrophe; the other formats keep the text. Writing blocks on the disk.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from engine.errors import StorageError
from engine.protocol import codec
from engine.protocol.events import TweetSampled
from engine.storage.files import new_file
from engine.text import sanitize, sanitize_in_place

_FORMULA_PREFIXES = ("=", "+", "-", "@")


def to_text(tweets: Iterable[TweetSampled]) -> str:
    """Return the texts, one per line."""
    return "".join(f"{sanitize_in_place(tweet.text)}\n" for tweet in tweets)


def to_jsonl(tweets: Iterable[TweetSampled]) -> str:
    """Return the events as JSON, one per line, as in a journal."""
    return "".join(f"{codec.encode(replace(tweet, text=sanitize(tweet.text)))}\n" for tweet in tweets)


def to_csv(tweets: Iterable[TweetSampled]) -> str:
    """Return comma-separated values with a header row."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("step", "temperature", "novelty", "bits_per_char", "text"))
    for tweet in tweets:
        facts = (tweet.step, f"{tweet.temperature:g}", tweet.novelty, f"{tweet.bits_per_char:.4f}")
        text = sanitize_in_place(tweet.text)
        writer.writerow((*facts, f"'{text}" if text.lstrip().startswith(_FORMULA_PREFIXES) else text))
    return table.getvalue()


FORMATS: dict[str, Callable[[Iterable[TweetSampled]], str]] = {".txt": to_text, ".jsonl": to_jsonl, ".csv": to_csv}
"""By suffix."""


def write_export(path: Path, parts: Iterable[bytes], *, may_replace: bool) -> None:
    """Write a file atomically, part by part. Raises what `check_export` does, and `StorageError` on other failures."""
    check_export(path, may_replace=may_replace)
    try:
        with new_file(path, mode=0o666) as new:
            for part in parts:
                new.write(part)
    except StorageError as error:
        raise StorageError(error.message, "Choose another folder.") from error


def check_export(path: Path, *, may_replace: bool) -> None:
    """Raise `FileExistsError` if the file exists and `may_replace` is false, `StorageError` without a folder for it."""
    if os.path.exists(path):
        if not os.path.isfile(path):
            raise StorageError(f"{path} is not a file.", "Choose another name.")
        if not may_replace:
            raise FileExistsError(path)
    if not os.path.isdir(path.parent):
        raise StorageError(f"{path} can't be written.", f"There is no folder {path.parent}.")
