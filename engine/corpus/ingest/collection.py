"""Reads, cleans and counts every row of all sources into flat arrays.

Duplicates are dropped as they are read, by the hash of their key: a file that repeats itself takes the memory of its
distinct tweets. Never compares keys that are not equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from engine.config.corpus import CorpusConfig
from engine.corpus.arrays import CHUNK_TWEETS, FlatBuilder, FlatTweets
from engine.corpus.files.streams import ReadProgress
from engine.corpus.hashing import GrowingSet
from engine.corpus.ingest.cleaning import Cleaner, duplicate_key
from engine.corpus.ingest.escapes import decode_escapes
from engine.corpus.ingest.source_counts import SourceCounts
from engine.corpus.readers.reader import DroppedRow, Row, Source
from engine.corpus.report import DUPLICATE
from engine.corpus.sources import open_sources
from engine.corpus.text_quality import MAX_ROWS
from engine.progress import OnProgress

ROWS_PER_REPORT = 5_000


@dataclass(frozen=True)
class Collection:
    """The tweets of all sources in reading order; duplicates only if the config keeps them."""

    texts: FlatTweets
    keys: FlatTweets
    """The `duplicate_key` of each tweet."""
    digests: npt.NDArray[np.uint64]  # (tweets,)
    """A stable hash of each key."""
    sources: tuple[SourceCounts, ...]
    source_of: npt.NDArray[np.uint32]  # (tweets,)
    """Index into `sources` of each tweet's source."""
    has_duplicates: bool
    """Whether duplicates were kept."""

    def num_dropped(self, reason: str) -> int:
        """Return the number of rows of all sources that were dropped for a reason."""
        return sum(counts.dropped[reason] for counts in self.sources)

    def compact(self, is_kept: npt.NDArray[np.bool_]) -> Collection:
        """Return the tweets of the mask, in the memory of this object, which becomes invalid."""
        return Collection(
            self.texts.compact(is_kept),
            self.keys.compact(is_kept),
            self.digests[is_kept],
            self.sources,
            self.source_of[is_kept],
            self.has_duplicates,
        )


def collect(config: CorpusConfig, on_progress: OnProgress) -> Collection:
    """Read and clean every row of a config's files. Raises `CorpusError`."""
    builder = _Builder(config)
    for counts, rows in rows_by_source(config, on_progress):
        builder.add(counts, rows)
    return builder.finish()


class _Builder:
    """Cleans rows and stores their tweets; unless duplicates are kept, only the first of those with an equal key."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._texts, self._keys = FlatBuilder(), FlatBuilder()
        self._digests: list[npt.NDArray[np.uint64]] = []
        self._source_of: list[npt.NDArray[np.uint32]] = []
        self._known = GrowingSet()
        self._sources: list[SourceCounts] = []
        self._pending_texts: list[str] = []
        self._pending_keys: list[str] = []
        """Tweets that are not yet compared with the stored ones."""
        self._starts: list[tuple[int, int]] = []
        """Index into the pending tweets and number of the source that starts there."""
        self._recent: set[str] = set()
        """Rows of the pending tweets, while most rows are duplicates: an equal row is dropped before it is cleaned."""
        self._is_repetitive = False

    def add(self, counts: SourceCounts, rows: Iterator[Row]) -> None:
        """Add the rows of a source and count them."""
        self._starts.append((len(self._pending_texts), len(self._sources)))
        self._sources.append(counts)
        cleaner = Cleaner(self._config)
        texts, keys, recent = self._pending_texts, self._pending_keys, self._recent
        for row in rows:
            if isinstance(row, DroppedRow):
                counts.drop(row)
                continue
            if row in recent:
                counts.num_kept += 1
                counts.drop_kept(DUPLICATE, 1, row)
                continue
            tweet = cleaner(row)
            if isinstance(tweet, DroppedRow):
                counts.drop(tweet)
                continue
            counts.num_kept += 1
            texts.append(tweet)
            keys.append(duplicate_key(tweet))
            if self._is_repetitive and len(row) <= self._config.max_length:
                recent.add(row)
            if len(texts) == CHUNK_TWEETS:
                self._store()
        if cleaner.num_repaired:
            counts.source.notes.append(
                f"{cleaner.num_repaired:,} repaired that were decoded with the wrong encoding (mojibake)"
            )

    def finish(self) -> Collection:
        """Return the tweets; the builder can't be used afterwards."""
        self._store()
        self._known = GrowingSet()
        texts, source_of = self._texts.finish(), np.concatenate(self._source_of)
        if self._config.format == "auto":  # an explicit format disables the check
            self._check_texts(texts, source_of)
        return Collection(
            texts,
            self._keys.finish(),
            np.concatenate(self._digests),
            tuple(self._sources),
            source_of,
            self._config.keep_duplicates,
        )

    def _check_texts(self, texts: FlatTweets, source_of: npt.NDArray[np.uint32]) -> None:
        """Check by an even sample of each source's tweets that they look like text."""
        bounds = np.searchsorted(source_of, np.arange(len(self._sources) + 1)).tolist()
        for counts, first, end in zip(self._sources, bounds, bounds[1:], strict=False):
            places = np.linspace(first, end - 1, min(MAX_ROWS, end - first)).astype(np.int64).tolist()
            counts.check_text([texts[place] for place in places])

    def _store(self) -> None:
        """Store the pending tweets, or drop those whose key is known."""
        texts, keys = self._pending_texts, self._pending_keys
        starts, numbers = zip(*self._starts, strict=True)
        sources = np.repeat(np.array(numbers, dtype=np.uint32), np.diff([*starts, len(texts)]))
        digests = key_digests(keys)
        is_new = np.ones(len(digests), dtype=np.bool_)
        if not self._config.keep_duplicates:
            is_new[:] = False
            is_new[np.unique(digests, return_index=True)[1]] = True
            is_new &= ~self._known.contains(digests)
            self._known.add(digests[is_new])
            for index in np.flatnonzero(~is_new).tolist():
                self._sources[sources[index]].drop_kept(DUPLICATE, 1, texts[index])
            self._is_repetitive = 2 * int(np.count_nonzero(is_new)) < len(is_new)
        self._texts.extend(compress(texts, is_new.tolist()))
        self._keys.extend(compress(keys, is_new.tolist()))
        self._digests.append(digests[is_new])
        self._source_of.append(sources[is_new])
        self._starts[:] = [(0, numbers[-1])]
        for each in (texts, keys, self._recent):
            each.clear()


def key_digests(keys: Iterable[str]) -> npt.NDArray[np.uint64]:
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
    """Yield `rows` with escapes decoded, reporting progress every `ROWS_PER_REPORT`."""
    for number, row in enumerate(decode_escapes(rows, source), start=1):
        yield row
        if number % ROWS_PER_REPORT == 0:
            on_progress(progress.share, f"{source.name}, {number:,} rows")
