"""Reads, cleans and counts every row of all sources into flat arrays. Never drops duplicates."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.config.corpus import CorpusConfig
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.flat_tweets import FlatBuilder, FlatTweets
from engine.corpus.ingest.cleaning import Cleaner, duplicate_key
from engine.corpus.ingest.sources import open_sources
from engine.corpus.report import SourceReport
from engine.corpus.types import DroppedRow, Row, Source
from engine.protocol.stage import OnProgress
from engine.text import EXAMPLE_CHARS, harmless

ROWS_PER_REPORT = 5_000
_MAX_REASON_CHARS = 80


@dataclass
class SourceCounts:
    """The counts of one source's rows, updated while they are read."""

    source: Source
    file_index: int
    """Index into `CorpusConfig.files`."""
    num_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def drop(self, row: DroppedRow) -> None:
        """Count a dropped row, and store the first example of its reason."""
        reason = harmless(row.reason, _MAX_REASON_CHARS)
        self.dropped[reason] += 1
        if row.example and reason not in self.examples:
            self.examples[reason] = harmless(row.example, EXAMPLE_CHARS)

    def drop_kept(self, reason: str, count: int, example: str) -> None:
        """Count `count` tweets as dropped that were counted as kept."""
        self.num_kept -= count
        self.dropped[reason] += count
        self.examples.setdefault(reason, example)

    def report(self) -> SourceReport:
        """Return the report on the rows read so far."""
        return SourceReport(
            name=harmless(self.source.name),
            format=self.source.format,
            notes=tuple(map(harmless, self.source.notes)),
            num_rows=self.num_kept + self.dropped.total(),
            num_kept=self.num_kept,
            dropped=dict(self.dropped.most_common()),
            examples=self.examples,
        )


@dataclass(frozen=True)
class Collection:
    """The tweets of all sources in reading order."""

    texts: FlatTweets
    keys: FlatTweets
    """The `duplicate_key` of each tweet."""
    digests: npt.NDArray[np.uint64]  # (tweets,)
    """A stable hash of each key."""
    sources: tuple[SourceCounts, ...]
    source_of: npt.NDArray[np.uint32]  # (tweets,)
    """Index into `sources` of each tweet's source."""

    def compact(self, is_kept: npt.NDArray[np.bool_]) -> Collection:
        """Return the tweets of the mask, in the memory of this object, which becomes invalid."""
        return Collection(
            self.texts.compact(is_kept),
            self.keys.compact(is_kept),
            self.digests[is_kept],
            self.sources,
            self.source_of[is_kept],
        )


def collect(config: CorpusConfig, on_progress: OnProgress) -> Collection:
    """Read and clean every row of a config's files. Raises `CorpusError`."""
    texts, keys = FlatBuilder(), FlatBuilder()
    sources = []
    for counts, rows in rows_by_source(config, on_progress):
        sources.append(counts)
        cleaner = Cleaner(config)
        for row in rows:
            tweet = cleaner(row)
            if isinstance(tweet, DroppedRow):
                counts.drop(tweet)
                continue
            texts.append(tweet)
            keys.append(duplicate_key(tweet))
            counts.num_kept += 1
        if cleaner.num_repaired:
            counts.source.notes.append(
                f"{cleaner.num_repaired:,} repaired that were decoded with the wrong encoding (mojibake)"
            )
    source_of = np.repeat(np.arange(len(sources), dtype=np.uint32), [counts.num_kept for counts in sources])
    flat_keys = keys.finish()
    return Collection(texts.finish(), flat_keys, key_digests(flat_keys), tuple(sources), source_of)


def key_digests(keys: FlatTweets) -> npt.NDArray[np.uint64]:
    """Return a stable hash of each key, (tweets,)."""
    digests = (hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    return np.frombuffer(bytearray().join(digests), dtype=">u8").astype(np.uint64)


def rows_by_source(config: CorpusConfig, on_progress: OnProgress) -> Iterator[tuple[SourceCounts, Iterator[Row]]]:
    """Yield counts and raw rows of each source; read the rows before requesting the next source."""
    progress = ReadProgress()
    for opened in open_sources(config, progress):
        yield (
            SourceCounts(opened.source, opened.file_index),
            _watched(opened.rows, opened.source, progress, on_progress),
        )


def _watched(rows: Iterator[Row], source: Source, progress: ReadProgress, on_progress: OnProgress) -> Iterator[Row]:
    """Yield `rows`, reporting progress every `ROWS_PER_REPORT`."""
    for number, row in enumerate(rows, start=1):
        yield row
        if number % ROWS_PER_REPORT == 0:
            on_progress(progress.share, f"{source.name}, {number:,} rows")
