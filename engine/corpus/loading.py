"""From a `CorpusConfig` to a `Corpus`: read, deduplicate, split, index; or load it from the cache. Never encodes."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path

import numpy as np

from engine.config.corpus import CorpusConfig
from engine.corpus import cache
from engine.corpus.arrays import FlatTweets
from engine.corpus.corpus import Corpus, digest_of
from engine.corpus.files.members import shown_path
from engine.corpus.hashing import NoveltyIndex
from engine.corpus.ingest.cleaning import Cleaner, duplicate_key
from engine.corpus.ingest.collection import collect, rows_by_source
from engine.corpus.ingest.deduplication import GroupedTweets, group
from engine.corpus.readers.labels import LABELLED, OTHER_LABEL
from engine.corpus.readers.reader import DroppedRow
from engine.corpus.readers.text_rows import ONLY_A_LABEL
from engine.corpus.report import CorpusReport
from engine.corpus.similarity import validation_mask
from engine.corpus.sources import EMBEDDED_NAME
from engine.errors import CorpusError
from engine.progress import OnProgress, no_progress, part_of
from engine.text import sanitize_line

MIN_TWEETS = 20
MAX_OTHERS = 50
"""Rows from which other tweets are read beside one that is to be overfitted."""
_MAX_LABELS = 8
_READ, _GROUPED, _SPLIT = 0.7, 0.8, 0.95
"""Share of the total time that has passed after each part; building the novelty index takes the rest."""


class TooFewTweetsError(CorpusError):
    """A corpus was read to its end and has too few usable tweets; `report` has the reasons."""

    def __init__(self, message: str, hint: str, report: CorpusReport) -> None:
        super().__init__(message, hint)
        self.report = report


def load_corpus(
    config: CorpusConfig, on_progress: OnProgress = no_progress, *, use_cache: bool = True, store: bool = True
) -> Corpus:
    """Read, clean, deduplicate and split the tweets of a config, or load the result from the cache.

    With `store`, a corpus that was read is stored in the cache.

    Raises `CorpusError`; `TooFewTweetsError` if everything could be read but too little was usable.
    """
    if config.overfit is not None:
        return _overfit_corpus(config)
    key = cache.key_of(config)
    corpus = cache.load(key, corpus_name(config)) if use_cache else None
    if corpus is None:
        corpus = _build(config, on_progress)
        if store and cache.key_of(config) == key:  # not if the files changed while they were read
            cache.store(key, corpus)
    return corpus


def read_tweets(config: CorpusConfig, on_progress: OnProgress = no_progress) -> tuple[FlatTweets, CorpusReport]:
    """Return all usable tweets in order without splitting them, and the report. Raises `CorpusError`."""
    grouped = _read_and_group(config, on_progress)
    return grouped.collection.texts, _report_of(grouped)


def _build(config: CorpusConfig, on_progress: OnProgress) -> Corpus:
    """Build a corpus from its files."""
    grouped = _read_and_group(config, on_progress)
    tweets, report = grouped.collection, _report_of(grouped)
    if len(tweets.texts) < MIN_TWEETS:
        raise _too_small(config, report)
    while_splitting = part_of(on_progress, _GROUPED, _SPLIT)
    is_held_out = validation_mask(tweets.keys, grouped.groups, tweets.digests, while_splitting)
    if not is_held_out.any():
        raise _no_validation_set(config, report)
    validation = tweets.texts.select(np.flatnonzero(is_held_out))
    learnt = tweets.compact(~is_held_out)
    train = learnt.texts
    file_of = np.array([counts.file_index for counts in tweets.sources])[learnt.source_of]
    return Corpus(
        name=corpus_name(config),
        train=train,
        validation=validation,
        num_train_by_file=tuple(np.bincount(file_of, minlength=max(len(config.files), 1)).tolist()),
        char_counts=train.char_counts(),
        novelty=NoveltyIndex.from_keys(learnt.keys, part_of(on_progress, _SPLIT, 1.0)),
        digest=digest_of(train),
        report=report,
    )


def _read_and_group(config: CorpusConfig, on_progress: OnProgress) -> GroupedTweets:
    """Read every row, and group duplicates."""
    collection = collect(config, part_of(on_progress, 0.0, _READ))
    return group(collection, part_of(on_progress, _READ, _GROUPED))


def _report_of(grouped: GroupedTweets) -> CorpusReport:
    """Return the report on all rows, complete after reading."""
    return CorpusReport(
        sources=tuple(counts.report() for counts in grouped.collection.sources),
        num_duplicates=grouped.num_duplicates,
        num_near_duplicates=grouped.num_near_duplicates,
    )


def corpus_name(config: CorpusConfig) -> str:
    """Return the name of a corpus on the screen and in events."""
    names = [Path(shown_path(Path(file))).name for file in config.files]
    name = " + ".join(names) or EMBEDDED_NAME
    return sanitize_line(name if config.overfit is None else f"row {config.overfit} of {name}")


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
        digest=digest_of(tweets),
        report=CorpusReport(sources=()),
        others=tuple(other for other in map(clean, first) if isinstance(other, str) and other != tweet),
    )


def _too_small(config: CorpusConfig, report: CorpusReport) -> TooFewTweetsError:
    """Return the error of a corpus with too few usable tweets; the hint is the remedy for the main reason."""
    if not report.num_rows:
        return TooFewTweetsError(f"{corpus_name(config)} holds no posts.", "Give a file that has some.", report)
    main_reason = next(iter(report.dropped), "")
    hints = {
        "no ": _key_hint(main_reason, report),
        "with too many columns": "Quote tweets that contain the delimiter, or read whole lines with --format text.",
        "not JSON": "It is not JSON lines: omit --format, or use --format text or csv.",
        "not a post": "It lists other things, such as likes or bookmarks: give the posts, or the whole archive.",
        "with a line over": "Give a text file with one tweet per line.",
        ONLY_A_LABEL: "Give the file with the texts; --format text keeps such lines.",
        LABELLED: _label_hint(config, report),
        OTHER_LABEL: _label_hint(config, report),
        "over ": f"Raise --max-length, now {config.max_length}, to keep longer tweets.",
    }
    usual = (
        f"At least {MIN_TWEETS} distinct tweets of at most {config.max_length} characters (--max-length) are needed."
    )
    hint = next((hint for start, hint in hints.items() if main_reason.startswith(start)), usual)
    return TooFewTweetsError(f"{corpus_name(config)} has too few usable tweets: {report}.", hint, report)


def _key_hint(reason: str, report: CorpusReport) -> str:
    """Return the hint for a key that the objects lack, with the keys of their texts."""
    texts = report.examples.get(reason, "").partition("it has ")[2]
    others = f"; they have {texts}" if texts else ""
    return f"Its objects lack the key {reason.removeprefix('no ')}{others}; --column sets another."


def _label_hint(config: CorpusConfig, report: CorpusReport) -> str:
    """Return the hint for rows dropped by their label, with the labels found."""
    labels = [reason.removeprefix(LABELLED) for reason in report.dropped if reason.startswith(LABELLED)]
    others = f"; the other labels are {', '.join(labels[:_MAX_LABELS])}" if labels else ""
    return f"--label {config.label} keeps only tweets with that label{others}. --label all keeps all tweets."


def _no_validation_set(config: CorpusConfig, report: CorpusReport) -> TooFewTweetsError:
    """Return the error of a corpus without a possible split: nearly all tweets are in one group of near-duplicates."""
    message = f"{corpus_name(config)} has too few distinct tweets for a validation set: {report}."
    return TooFewTweetsError(
        message, "Without --keep-duplicates, one tweet of each group of duplicates is kept.", report
    )
