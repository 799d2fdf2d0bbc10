"""From the rows of all sources to flat tweets and the report on them; or a preview of the first rows.

Duplicates are dropped as they are read, by the hash of their key: a file that repeats itself takes the memory of its
distinct tweets. Never compares keys that are not equal.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise

import numpy as np
import numpy.typing as npt

from engine.config.corpus import CorpusConfig
from engine.corpus.arrays import CHUNK_TWEETS, FlatBuilder, FlatTweets, Indices
from engine.corpus.cleaning import MAX_ROWS, Cleaner, decode_escapes, doubt_about, duplicate_key
from engine.corpus.files.streams import ReadProgress
from engine.corpus.hashing import GrowingSet, Hashes
from engine.corpus.readers.reader import BOOST, REPOST, RETWEET, DroppedRow, Row, Source
from engine.corpus.report import DUPLICATE, NEAR_DUPLICATE, CorpusPreview, CorpusReport, SourceReport
from engine.corpus.similarity import near_duplicate_groups
from engine.corpus.sources import OpenedSource, open_sources
from engine.protocol.progress import OnProgress, no_progress, part_of
from engine.text import EXAMPLE_CHARS, sanitize_line

ROWS_PER_REPORT = 5_000
MAX_SECONDS = 0.5
"""Time after which a preview ends."""
_ENOUGH_TWEETS = 200
"""Distinct tweets after which a preview ends."""
_ROWS_PER_LOOK = 256
_READ_SHARE = 7 / 8
"""Share of the time that reading takes; grouping near-duplicates takes the rest."""
_MAX_REASON_CHARS = 80
_RETWEETED = re.compile(r"\brt\W{0,3}@", re.IGNORECASE)


@dataclass(frozen=True)
class Collection:
    """The tweets of all sources in reading order; duplicates and near-duplicates only if the config keeps them."""

    texts: FlatTweets
    keys: FlatTweets
    """The `duplicate_key` of each tweet."""
    digests: Hashes  # (tweets,)
    """A stable hash of each key."""
    groups: Indices  # (tweets,)
    """The index of the first tweet of each tweet's group of near-duplicates."""
    file_of: npt.NDArray[np.uint32]  # (tweets,)
    """The index of each tweet's file in `CorpusConfig.files`."""
    report: CorpusReport


@dataclass
class SourceCounts:
    """Counts of one source's rows, kept and dropped, while they are read."""

    source: Source
    file_index: int
    """Index into `CorpusConfig.files`."""
    num_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    """An excerpt of one dropped row per reason, but of none that may be another person's words."""
    doubt: str = ""
    """Why the rows do not look like text, or ""."""

    def drop(self, row: DroppedRow) -> None:
        """Count a dropped row, and store an example of its reason."""
        reason = sanitize_line(row.reason, _MAX_REASON_CHARS)
        self.dropped[reason] += 1
        self._add_example(reason, row.example)

    def drop_kept(self, reason: str, count: int, text: str) -> None:
        """Count `count` tweets as dropped that were counted as kept; `text` is one of them."""
        self.num_kept -= count
        self.dropped[reason] += count
        self._add_example(reason, text)

    def _add_example(self, reason: str, text: str) -> None:
        """Store the first example of a reason, unless it may be another person's words."""
        is_anothers = reason in {BOOST, REPOST, RETWEET}
        if text and reason not in self.examples and not is_anothers and not _RETWEETED.search(text):
            self.examples[reason] = sanitize_line(text, EXAMPLE_CHARS)

    def check_text(self, sample: Sequence[str]) -> None:
        """Set `doubt` by a sample of the kept tweets and the counts so far, or else as the reader did."""
        num_duplicates = self.dropped[DUPLICATE]
        self.doubt = doubt_about(sample, self.num_kept + num_duplicates, num_duplicates) or self.source.doubt

    def report(self) -> SourceReport:
        """Return the report on the rows read so far."""
        return SourceReport(
            name=sanitize_line(self.source.name),
            format=self.source.format,
            notes=tuple(map(sanitize_line, self.source.notes)),
            num_rows=self.num_kept + self.dropped.total(),
            num_kept=self.num_kept,
            dropped=dict(self.dropped.most_common()),
            examples=self.examples,
            doubt=self.doubt,
        )


def collect(config: CorpusConfig, on_progress: OnProgress = no_progress) -> Collection:
    """Read and clean every row of a config's files, and group near-duplicates. Raises `CorpusError`.

    Unless the config keeps duplicates, only the first tweet of each group stays.
    """
    builder = _Builder(config)
    for counts, rows in rows_by_source(config, part_of(on_progress, 0.0, _READ_SHARE)):
        builder.add(counts, rows)
    sources = builder.sources
    texts, keys, digests, source_of = builder.finish()
    del builder  # frees what only the builder references
    if config.format == "auto":  # an explicit format disables the check
        bounds = np.searchsorted(source_of, np.arange(len(sources) + 1)).tolist()
        for counts, (first, end) in zip(sources, pairwise(bounds), strict=True):
            places = np.linspace(first, end - 1, min(MAX_ROWS, end - first)).astype(np.int64).tolist()
            counts.check_text([texts[place] for place in places])

    groups = near_duplicate_groups(keys, part_of(on_progress, _READ_SHARE, 1.0))
    is_repeated = groups != np.arange(len(groups))
    if config.keep_duplicates:
        is_exact = np.ones(len(groups), dtype=np.bool_)
        is_exact[np.unique(digests, return_index=True)[1]] = False
        num_duplicates, num_near = int(is_exact.sum()), int((is_repeated & ~is_exact).sum())
    else:
        num_duplicates = sum(counts.dropped[DUPLICATE] for counts in sources)
        repeated = np.flatnonzero(is_repeated)
        num_near = len(repeated)
        numbers, firsts, sizes = np.unique(source_of[repeated], return_index=True, return_counts=True)
        for number, first, size in zip(numbers.tolist(), repeated[firsts].tolist(), sizes.tolist(), strict=True):
            sources[number].drop_kept(NEAR_DUPLICATE, size, texts[first])
        if num_near:
            texts, keys = texts.compact(~is_repeated), keys.compact(~is_repeated)
            digests, source_of = digests[~is_repeated], source_of[~is_repeated]
        groups = np.arange(len(texts))
    file_of = np.array([counts.file_index for counts in sources], dtype=np.uint32)[source_of]
    reports = tuple(counts.report() for counts in sources)
    report = CorpusReport(sources=reports, num_duplicates=num_duplicates, num_near_duplicates=num_near)
    return Collection(texts, keys, digests, groups, file_of, report)


class _Builder:
    """Cleans rows and stores their tweets; unless duplicates are kept, only the first of those with an equal key."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self.sources: list[SourceCounts] = []
        self._texts, self._keys = FlatBuilder(), FlatBuilder()
        self._digests: list[Hashes] = []
        self._source_of: list[npt.NDArray[np.uint32]] = []
        self._known = GrowingSet()
        self._pending_texts: list[str] = []
        self._pending_keys: list[str] = []
        """Tweets that are not yet compared with the stored ones."""
        self._starts: list[tuple[int, int]] = []
        """Index into the pending tweets and number of the source that starts there."""
        self._recent: set[str] = set()
        """Rows of the pending tweets, while most rows are duplicates: an equal row is dropped before it is cleaned."""
        self._is_repetitive = False

    def add(self, counts: SourceCounts, rows: Iterator[Row]) -> None:
        self._starts.append((len(self._pending_texts), len(self.sources)))
        self.sources.append(counts)
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

    def finish(self) -> tuple[FlatTweets, FlatTweets, Hashes, npt.NDArray[np.uint32]]:
        """Return texts and keys, the digest of each key, and the number of each tweet's source."""
        self._store()
        digests, source_of = np.concatenate(self._digests), np.concatenate(self._source_of)
        return self._texts.finish(), self._keys.finish(), digests, source_of

    def _store(self) -> None:
        """Store the pending tweets, or drop those whose key is known."""
        texts, keys = self._pending_texts, self._pending_keys
        starts, numbers = zip(*self._starts, strict=True)
        source_of = np.repeat(np.array(numbers, dtype=np.uint32), np.diff([*starts, len(texts)]))
        digests = key_digests(keys)
        is_new = np.ones(len(digests), dtype=np.bool_)
        if not self._config.keep_duplicates:
            is_new[:] = False
            is_new[np.unique(digests, return_index=True)[1]] = True
            is_new &= ~self._known.contains(digests)
            self._known.add(digests[is_new])
            for index in np.flatnonzero(~is_new).tolist():
                self.sources[source_of[index]].drop_kept(DUPLICATE, 1, texts[index])
            self._is_repetitive = 2 * int(np.count_nonzero(is_new)) < len(is_new)
        self._texts.extend(compress(texts, is_new.tolist()))
        self._keys.extend(compress(keys, is_new.tolist()))
        self._digests.append(digests[is_new])
        self._source_of.append(source_of[is_new])
        self._starts[:] = [(0, numbers[-1])]
        for each in (texts, keys, self._recent):
            each.clear()


def key_digests(keys: Iterable[str]) -> Hashes:
    """Return a stable hash of each key, (tweets,)."""
    digests = (hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    return np.frombuffer(bytearray().join(digests), dtype=">u8").astype(np.uint64)


def rows_by_source(config: CorpusConfig, on_progress: OnProgress) -> Iterator[tuple[SourceCounts, Iterator[Row]]]:
    """Yield counts and raw rows of each source; read the rows before requesting the next source."""
    progress = ReadProgress()
    for opened in open_sources(config, progress):
        yield SourceCounts(opened.source, opened.file_index), _watched(opened, progress, on_progress)


def _watched(opened: OpenedSource, progress: ReadProgress, on_progress: OnProgress) -> Iterator[Row]:
    """Yield the rows of a source with escapes decoded, reporting progress every `ROWS_PER_REPORT`."""
    for number, row in enumerate(decode_escapes(opened.rows, opened.source), start=1):
        yield row
        if number % ROWS_PER_REPORT == 0:
            on_progress(progress.share, f"{opened.source.name}, {number:,} rows")


def preview_of(config: CorpusConfig) -> tuple[CorpusPreview, int]:
    """Read rows until there are enough tweets or the time is up; return a preview and the number of distinct tweets.

    Raises `CorpusError`.
    """
    deadline = time.monotonic() + MAX_SECONDS
    sources: list[tuple[SourceCounts, list[str]]] = []  # those reached, with their tweets
    keys: set[str] = set()
    num_rows = 0
    is_whole = True
    for counts, rows in rows_by_source(config, no_progress):
        tweets: list[str] = []
        sources.append((counts, tweets))
        for tweet in map(Cleaner(config), rows):
            if isinstance(tweet, DroppedRow):
                counts.drop(tweet)
            else:
                counts.num_kept += 1
                tweets.append(tweet)
                keys.add(duplicate_key(tweet))
            num_rows += 1
            is_late = num_rows % _ROWS_PER_LOOK == 0 and time.monotonic() > deadline
            if is_late or len(keys) >= _ENOUGH_TWEETS:
                is_whole = False
                break
        if not is_whole:
            break
    for counts, tweets in sources if config.format == "auto" else ():
        counts.check_text(tweets)
    reports = tuple(counts.report() for counts, _ in sources)
    first_tweet = next((tweet for _, tweets in sources for tweet in tweets), "")
    return CorpusPreview(sources=reports, first_tweet=first_tweet, is_whole=is_whole), len(keys)
