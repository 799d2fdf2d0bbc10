"""`Corpus`: the tweets of a run, split into training and validation; read from files, or loaded from the cache.

A corpus that was read once is loaded in about a second the next time. An entry of the cache is one safetensors file,
named by a hash of the files' content and of every setting that affects the result. A damaged entry, or one of another
version, is a miss. The cache never fails a run: its errors are logged. Never encodes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import zlib
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from engine.config.corpus import CorpusConfig
from engine.corpus.arrays import FlatTweets
from engine.corpus.cleaning import Cleaner, duplicate_key
from engine.corpus.collect import collect, preview_of, rows_by_source
from engine.corpus.files.members import content_hash, shown_path
from engine.corpus.formats import is_wanted
from engine.corpus.hashing import NoveltyIndex
from engine.corpus.readers.json_values import NOT_JSON
from engine.corpus.readers.labels import LABELLED, OTHER_LABEL
from engine.corpus.readers.reader import DroppedRow
from engine.corpus.readers.table import TOO_MANY_COLUMNS
from engine.corpus.readers.text_reader import ONLY_A_LABEL
from engine.corpus.report import CorpusPreview, CorpusReport
from engine.corpus.similarity import validation_mask
from engine.corpus.sources import EMBEDDED_NAME
from engine.errors import CorpusError, StorageError
from engine.protocol import codec
from engine.protocol.progress import OnProgress, no_progress, part_of
from engine.storage.files import new_file, remove_stale_temporaries
from engine.storage.folders import cache_folder
from engine.text import sanitize_line

LOG = logging.getLogger(__name__)
MIN_TWEETS = 20
MAX_OTHERS = 50
"""Rows from which other tweets are read beside one that is to be overfitted."""
_MAX_LABELS = 8
_COLLECTED, _SPLIT = 0.8, 0.95
"""Share of the total time that has passed after each part; building the novelty index takes the rest."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The tweets of a run, immutable."""

    name: str
    train: FlatTweets
    validation: FlatTweets
    num_train_by_file: tuple[int, ...]
    """Training tweets of each of `CorpusConfig.files`; in `train` they are in the same order."""
    char_counts: dict[str, int]
    """How often each character occurs in the training tweets."""
    novelty: NoveltyIndex
    """The index of the training tweets, to distinguish new tweets from copies."""
    digest: str
    """A hash of the training tweets in order; a resume compares it."""
    report: CorpusReport
    others: tuple[str, ...] = ()
    """Some of the other tweets of the data, if a single one is to be overfitted."""
    was_cached: bool = False
    """Whether it was loaded from the cache."""

    @property
    def num_train_chars(self) -> int:
        """Targets of one epoch: all characters and one EOS per tweet."""
        return sum(self.char_counts.values()) + len(self.train)


def corpus_name(config: CorpusConfig) -> str:
    """Return the name of a corpus on the screen and in events."""
    names = [Path(shown_path(Path(file))).name for file in config.files]
    name = " + ".join(names) or EMBEDDED_NAME
    return sanitize_line(name if config.overfit is None else f"row {config.overfit} of {name}")


def check_corpus(config: CorpusConfig) -> CorpusPreview:
    """Return a preview of the corpus, or raise the `CorpusError` of `load_corpus` as far as the first rows show it.

    Takes about half a second for files of any size; later errors are left to `load_corpus`. The preview is empty for
    a single row (`config.overfit`).
    """
    if config.overfit is not None:
        load_corpus(config)
        return CorpusPreview()
    preview, num_distinct = preview_of(config)
    if preview.is_whole and num_distinct < MIN_TWEETS:
        load_corpus(config)  # a small corpus that was read completely: raises the error with its reasons
    return preview


def load_corpus(
    config: CorpusConfig, on_progress: OnProgress = no_progress, *, use_cache: bool = True, store: bool = True
) -> Corpus:
    """Read, clean, deduplicate and split the tweets of a config, or load the result from the cache.

    With `store`, a corpus that was read is stored in the cache.

    Raises `CorpusError`; `TooFewTweetsError` if everything could be read but too little was usable.
    """
    if config.overfit is not None:
        return _overfit_corpus(config)
    key = cache_key(config)
    corpus = cached_corpus(key, corpus_name(config)) if use_cache else None
    if corpus is None:
        corpus = _read(config, on_progress)
        if store and cache_key(config) == key:  # not if the files changed while they were read
            store_corpus(key, corpus)
    return corpus


def read_tweets(config: CorpusConfig, on_progress: OnProgress = no_progress) -> tuple[FlatTweets, CorpusReport]:
    """Return all usable tweets in order without splitting them, and the report. Raises `CorpusError`."""
    tweets = collect(config, part_of(on_progress, 0.0, _COLLECTED))
    return tweets.texts, tweets.report


def _read(config: CorpusConfig, on_progress: OnProgress) -> Corpus:
    tweets = collect(config, part_of(on_progress, 0.0, _COLLECTED))
    if len(tweets.texts) < MIN_TWEETS:
        raise _too_small(config, tweets.report)
    while_splitting = part_of(on_progress, _COLLECTED, _SPLIT)
    is_held_out = validation_mask(tweets.keys, tweets.groups, tweets.digests, while_splitting)
    if not is_held_out.any():  # nearly all tweets are in one group of near-duplicates
        raise TooFewTweetsError(
            f"{corpus_name(config)} has too few distinct tweets for a validation set: {tweets.report}.",
            "Without --keep-duplicates, one tweet of each group of duplicates is kept.",
            tweets.report,
        )
    validation = tweets.texts.select(np.flatnonzero(is_held_out))
    train, keys = tweets.texts.compact(~is_held_out), tweets.keys.compact(~is_held_out)
    num_files = max(len(config.files), 1)
    return Corpus(
        name=corpus_name(config),
        train=train,
        validation=validation,
        num_train_by_file=tuple(np.bincount(tweets.file_of[~is_held_out], minlength=num_files).tolist()),
        char_counts=train.char_counts(),
        novelty=NoveltyIndex.from_keys(keys, part_of(on_progress, _SPLIT, 1.0)),
        digest=_digest_of(train),
        report=tweets.report,
    )


def _digest_of(tweets: FlatTweets) -> str:
    """Return the SHA-256 of the tweets in order, in hexadecimal."""
    digest = hashlib.sha256(tweets.offsets.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(tweets.utf8).data)
    return digest.hexdigest()


def _overfit_corpus(config: CorpusConfig) -> Corpus:
    """Return the corpus of the single tweet at row `config.overfit`, as in the tutorial's part (c)."""
    rows = (row for _, rows in rows_by_source(config, no_progress) for row in rows)
    clean = Cleaner(config)
    first = list(islice(rows, MAX_OTHERS))
    row = next(islice(chain(first, rows), config.overfit, None), None)
    tweet = DroppedRow("the data has fewer rows") if row is None else clean(row)
    if isinstance(tweet, DroppedRow):
        name = corpus_name(config).removeprefix("row ")
        raise CorpusError(f"Row {name} can't be used: {tweet.reason}.", "Choose another row.")
    tweets = FlatTweets.from_texts([tweet])
    return Corpus(
        name=corpus_name(config),
        train=tweets,
        validation=tweets,
        num_train_by_file=(1,),
        char_counts=tweets.char_counts(),
        novelty=NoveltyIndex.from_keys(FlatTweets.from_texts([duplicate_key(tweet)])),
        digest=_digest_of(tweets),
        report=CorpusReport(sources=()),
        others=tuple(other for other in map(clean, first) if isinstance(other, str) and other != tweet),
    )


# Too few tweets -------------------------------------------------------------------------------------------------------


class TooFewTweetsError(CorpusError):
    """A corpus was read to its end and has too few usable tweets; `report` has the reasons."""

    def __init__(self, message: str, hint: str, report: CorpusReport) -> None:
        super().__init__(message, hint)
        self.report = report


def _too_small(config: CorpusConfig, report: CorpusReport) -> TooFewTweetsError:
    """Return the error of a corpus with too few usable tweets; the hint is the remedy for the main reason."""
    if not report.num_rows:
        return TooFewTweetsError(f"{corpus_name(config)} holds no posts.", "Give a file that has some.", report)
    main_reason = next(iter(report.dropped), "")
    keys = report.examples.get(main_reason, "").partition("it has ")[2]
    lacking = f"Its objects lack the key {main_reason.removeprefix('no ')}{f'; they have {keys}' if keys else ''}"
    labels = [reason.removeprefix(LABELLED) for reason in report.dropped if reason.startswith(LABELLED)]
    others = f"; the other labels are {', '.join(labels[:_MAX_LABELS])}" if labels else ""
    labelled = f"--label {config.label} keeps only tweets with that label{others}. --label all keeps all tweets."
    hints = {
        "no ": f"{lacking}; --column sets another.",
        TOO_MANY_COLUMNS: "Quote tweets that contain the delimiter, or read whole lines with --format text.",
        NOT_JSON: "It is not JSON lines: omit --format, or use --format text or csv.",
        "not a post": "It lists other things, such as likes or bookmarks: give the posts, or the whole archive.",
        "with a line over": "Give a text file with one tweet per line.",
        ONLY_A_LABEL: "Give the file with the texts; --format text keeps such lines.",
        LABELLED: labelled,
        OTHER_LABEL: labelled,
        "over ": f"Raise --max-length, now {config.max_length}, to keep longer tweets.",
    }
    usual = (
        f"At least {MIN_TWEETS} distinct tweets of at most {config.max_length} characters (--max-length) are needed."
    )
    hint = next((hint for start, hint in hints.items() if main_reason.startswith(start)), usual)
    return TooFewTweetsError(f"{corpus_name(config)} has too few usable tweets: {report}.", hint, report)


# The cache ------------------------------------------------------------------------------------------------------------

VERSION = 11
"""Incremented when the same files would give other tweets, or the format of an entry changes."""
MAX_ENTRIES = 16
"""Beyond this, the least recently used entries are deleted."""
_UNRELATED = {"files": (), "min_char_count": 1, "weight": (), "overfit": None}
"""Settings that do not affect the content of an entry."""


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """An entry without its arrays."""

    num_train_by_file: tuple[int, ...]
    char_counts: dict[str, int]
    digest: str
    report: CorpusReport


def cache_key(config: CorpusConfig) -> str:
    """Return the cache key of a corpus. Raises `CorpusError` if a file can't be read."""
    settings = codec.encode(replace(config, **_UNRELATED))  # type: ignore[arg-type] # a field's value by its name
    content = []
    for file in config.files:
        path = Path(os.path.expanduser(file))
        content.append((path.name, content_hash(path, lambda name: is_wanted(name, config))))
    return hashlib.sha256(json.dumps([VERSION, settings, content]).encode()).hexdigest()


def _entry(key: str) -> Path:
    return cache_folder() / "corpora" / f"{key}.safetensors"


def cached_corpus(key: str, name: str) -> Corpus | None:
    """Return the corpus stored under `key`, with this `name`; None if there is no valid entry."""
    path = _entry(key)
    try:
        with safe_open(path, framework="numpy") as entry:
            metadata = entry.metadata()
            arrays = {array_name: entry.get_tensor(array_name) for array_name in entry.keys()}  # noqa: SIM118 - no mapping
        if str(_checksum(arrays, metadata["facts"])) != metadata["checksum"]:
            raise ValueError("the checksum differs")
        facts = codec.decode(metadata["facts"], _Facts)
        corpus = Corpus(
            name=name,
            train=FlatTweets(arrays["train.utf8"], arrays["train.offsets"]),
            validation=FlatTweets(arrays["validation.utf8"], arrays["validation.offsets"]),
            novelty=NoveltyIndex(arrays["novelty.whole"], arrays["novelty.windows"]),
            was_cached=True,
            **vars(facts),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        LOG.warning("a corpus in the cache can't be used: %s", error)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of last use, for the limit on entries
    return corpus


def store_corpus(key: str, corpus: Corpus) -> None:
    """Store a corpus under `key`; errors are logged."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "train.utf8": corpus.train.utf8,
        "train.offsets": corpus.train.offsets,
        "validation.utf8": corpus.validation.utf8,
        "validation.offsets": corpus.validation.offsets,
        "novelty.whole": corpus.novelty.whole,
        "novelty.windows": corpus.novelty.windows,
    }
    facts = _Facts(
        num_train_by_file=corpus.num_train_by_file,
        char_counts=corpus.char_counts,
        digest=corpus.digest,
        report=corpus.report,
    )
    encoded = codec.encode(facts)
    path = _entry(key)
    try:
        remove_stale_temporaries(path.parent)
        with new_file(path) as new:
            save_file(arrays, new.temporary, metadata={"facts": encoded, "checksum": str(_checksum(arrays, encoded))})
        entries = sorted(path.parent.glob("*.safetensors"), key=lambda each: each.stat().st_mtime, reverse=True)
        for old in entries[MAX_ENTRIES:]:
            old.unlink(missing_ok=True)
    except (OSError, StorageError, SafetensorError) as error:
        LOG.warning("a corpus can't be stored in the cache: %s", error)


def _checksum(arrays: dict[str, npt.NDArray[Any]], facts: str) -> int:
    """Return the CRC-32 of the facts and all arrays."""
    checksum = zlib.crc32(facts.encode())
    for _, array in sorted(arrays.items()):
        checksum = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, checksum)
    return checksum
