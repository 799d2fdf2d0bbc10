"""From a `CorpusConfig` to a `Corpus`: every row read, cleaned, de-duplicated, counted, and split."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from engine.corpus.cleaning import duplicate_key, to_tweet
from engine.corpus.files import read_rows
from engine.corpus.readers.csv_rows import MORE_THAN_ONE_COLUMN
from engine.corpus.readers.jsonl_rows import NOT_JSON
from engine.corpus.rows import Row, Unusable
from engine.corpus.split import validation_mask
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError
from engine.text import harmless

MIN_TWEETS = 20
EMBEDDED_NAME = "happy tweets (embedded, synthetic)"


@dataclass(frozen=True, kw_only=True)
class CorpusReport:
    """What was read, and what became of it."""

    num_rows: int
    num_kept: int
    dropped: dict[str, int]
    """Rows by the reason they were dropped for; with `num_kept` they add up to `num_rows`."""

    def __str__(self) -> str:
        """Return it as one line."""
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        return f"{self.num_rows:,} rows read, {self.num_kept:,} tweets kept; dropped: {dropped or 'none'}"


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The tweets of a run."""

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    report: CorpusReport

    @property
    def num_train_chars(self) -> int:
        """Characters to learn from in one epoch, the end-of-tweet symbols included."""
        return sum(map(len, self.train)) + len(self.train)

    @cached_property
    def digest(self) -> str:
        """A hash of the training tweets in their order: equal for equal training data."""
        return hashlib.sha256("\n".join(self.train).encode("utf-8", "surrogatepass")).hexdigest()


def load_corpus(config: CorpusConfig) -> Corpus:
    """Read, clean, de-duplicate and split the tweets of a config. Raises `CorpusError`."""
    if config.overfit is not None:
        return _overfit_corpus(config)
    tweets, report = read_tweets(config)
    if len(tweets) < MIN_TWEETS:
        raise _too_small(config, report)
    is_validation = validation_mask(list(tweets))
    return Corpus(
        name=corpus_name(config),
        train=tuple(tweet for tweet, held_out in zip(tweets.values(), is_validation, strict=True) if not held_out),
        validation=tuple(tweet for tweet, held_out in zip(tweets.values(), is_validation, strict=True) if held_out),
        report=report,
    )


def read_tweets(config: CorpusConfig) -> tuple[dict[str, str], CorpusReport]:
    """Return the usable tweets by their duplicate key, in order, and what was dropped. Raises `CorpusError`."""
    dropped: Counter[str] = Counter()
    tweets: dict[str, str] = {}
    for row in _all_rows(config):
        tweet = to_tweet(row, config.max_length)
        if isinstance(tweet, Unusable):
            dropped[tweet.reason] += 1
        elif (key := duplicate_key(tweet)) in tweets:
            dropped["duplicate"] += 1
        else:
            tweets[key] = tweet
    num_rows = len(tweets) + dropped.total()
    return tweets, CorpusReport(num_rows=num_rows, num_kept=len(tweets), dropped=dict(dropped.most_common()))


def check_corpus(config: CorpusConfig) -> None:
    """Raise the `CorpusError` that `load_corpus` would, as far as the first few usable tweets of each file show it.

    Costs milliseconds whatever the size of the files: for telling an error before a screen opens.
    """
    if config.overfit is not None:
        _overfit_corpus(config)
        return
    keys: set[str] = set()
    for path in _paths(config):
        usable = (
            tweet
            for row in read_rows(path, config.format, config.column)
            if isinstance(tweet := to_tweet(row, config.max_length), str)
        )
        for tweet in islice(usable, 10 * MIN_TWEETS):
            keys.add(duplicate_key(tweet))
            if len(keys) >= MIN_TWEETS:
                break
    if config.files and len(keys) < MIN_TWEETS:
        load_corpus(config)


def _paths(config: CorpusConfig) -> list[Path]:
    """Return the files of a config; `~` is the home of a user that there is, or else part of the name."""
    return [Path(os.path.expanduser(file)) for file in config.files]


def corpus_name(config: CorpusConfig) -> str:
    """Return what a corpus is called on the screen and in events."""
    name = " + ".join(Path(file).name for file in config.files) or EMBEDDED_NAME
    return harmless(name if config.overfit is None else f"row {config.overfit} of {name}")


def _all_rows(config: CorpusConfig) -> Iterator[Row]:
    """Return the rows of all files of a config, or of the embedded corpus."""
    with ExitStack() as stack:
        if config.files:
            for path in _paths(config):
                yield from read_rows(path, config.format, config.column)
        else:
            resource = importlib.resources.files("assets") / "happy.csv"
            yield from read_rows(stack.enter_context(importlib.resources.as_file(resource)), "csv", None)


def _overfit_corpus(config: CorpusConfig) -> Corpus:
    """Return the corpus of the one tweet that `config.overfit` counts to, as the tutorial's part (c) trains on."""
    row = next(islice(_all_rows(config), config.overfit, None), None)
    tweet = Unusable("the data ends before it") if row is None else to_tweet(row, config.max_length)
    if isinstance(tweet, Unusable):
        name = corpus_name(config).removeprefix("row ")
        raise CorpusError(f"Row {name} can't be used: {tweet.reason}.", "Choose another row.")
    report = CorpusReport(num_rows=1, num_kept=1, dropped={})
    return Corpus(name=corpus_name(config), train=(tweet,), validation=(tweet,), report=report)


def _too_small(config: CorpusConfig, report: CorpusReport) -> CorpusError:
    """Return the error of a corpus with too few usable tweets."""
    main_reason = next(iter(report.dropped), "")
    if main_reason.startswith("no "):
        hint = f"Its objects lack the key that --column names ({main_reason.removeprefix('no ')})."
    elif main_reason == MORE_THAN_ONE_COLUMN:
        hint = "Put tweets with commas in quotation marks, name their --column, or read whole lines: --format text."
    elif main_reason == NOT_JSON:
        hint = "It is not made of JSON lines: leave --format out, or say --format text or csv."
    else:
        hint = (
            f"It takes at least {MIN_TWEETS} different ones, of at most {config.max_length} characters (--max-length)."
        )
    return CorpusError(f"{corpus_name(config)} holds too few usable tweets: {report}.", hint)
