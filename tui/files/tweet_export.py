"""Exports tweets as text, JSON lines or CSV, by the file's suffix. Never imports Textual.

A tweet takes one line in every format. In CSV, a cell that a spreadsheet would evaluate as a formula gets a leading
apostrophe; the other formats keep the text. Blocks on the disk: call from a worker thread.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from engine.protocol import codec
from engine.protocol.events import TweetSampled
from engine.text import sanitize, sanitize_in_place
from tui.files.export_file import write_export

_FORMULA_PREFIXES = ("=", "+", "-", "@")
COLUMNS = ("step", "temperature", "novelty", "bits_per_char", "text")


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
    writer.writerow(COLUMNS)
    for tweet in tweets:
        facts = (tweet.step, f"{tweet.temperature:g}", tweet.novelty, f"{tweet.bits_per_char:.4f}")
        text = sanitize_in_place(tweet.text)
        writer.writerow((*facts, f"'{text}" if text.lstrip().startswith(_FORMULA_PREFIXES) else text))
    return table.getvalue()


FORMATS: dict[str, Callable[[Iterable[TweetSampled]], str]] = {
    ".txt": to_text,
    ".jsonl": to_jsonl,
    ".csv": to_csv,
}
"""By suffix."""


def export(tweets: Iterable[TweetSampled], path: Path, *, may_replace: bool) -> None:
    """Write tweets to a file in the format of its suffix.

    Raises `FileExistsError` if the file exists and `may_replace` is false, `StorageError` if it can't be written.
    """
    write_export(path, [FORMATS[path.suffix.lower()](tweets).encode()], may_replace=may_replace)
