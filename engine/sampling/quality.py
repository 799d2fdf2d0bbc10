"""Statistics of a set of tweets: known words, diversity, copies, length.

No single figure means "good": a model that repeats one training tweet uses only known words, and random characters are
diverse. So the same statistics are computed for real tweets, for comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.corpus.corpus import Corpus
from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.sampling.generation import GeneratedTweet


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Statistics of a set of tweets; shares are 0 to 1."""

    num_tweets: int
    known_word_share: float
    """Share of words that occur in the training tweets, without case, @names, links and punctuation."""
    distinct_3: float
    """Distinct character trigrams as a share of all (Li et al. 2016, arXiv:1510.03055, with words); decreases with
    `num_tweets`, so only sets of equal size are comparable."""
    copy_share: float
    """Share of tweets that equal a training tweet."""
    near_copy_share: float
    """Share of tweets of which at least half consists of long substrings of training tweets."""
    mean_chars: float
    ended_share: float
    """Share of tweets that reached `<EOS>` before the maximum length."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Statistics of a model's tweets, and of as many real ones."""

    temperature: float
    """Temperature of the model's tweets."""
    seed: int
    """Seed of the model's first tweet."""
    written: Quality
    held_out: Quality
    train_mean_chars: float
    """Mean length of the training tweets."""


def compare(written: Sequence[GeneratedTweet], held_out: FlatTweets, corpus: Corpus) -> Comparison:
    """Compare a model's tweets (at least one) with as many of `held_out`, or all if there are fewer.

    `corpus` is the model's training corpus.
    """
    texts, real = [tweet.text for tweet in written], evenly_spaced(held_out, len(written))
    unknown_words = unknown_words_in(corpus.train, [*texts, *real])
    num_ended = sum(tweet.reached_eos for tweet in written)
    of_written, of_real = (
        quality_of(tweets, num_ended=ended, unknown_words=unknown_words, novelty=corpus.novelty)
        for tweets, ended in ((texts, num_ended), (real, len(real)))  # a real tweet always ended
    )
    return Comparison(
        temperature=written[0].temperature,
        seed=written[0].seed,
        written=of_written,
        held_out=of_real,
        train_mean_chars=sum(corpus.char_counts.values()) / len(corpus.train),
    )


def quality_of(
    tweets: Sequence[str], *, num_ended: int, unknown_words: Collection[str], novelty: NoveltyIndex
) -> Quality:
    """Return the statistics of at least one tweet; `unknown_words` are those of `unknown_words_in`."""
    words = [word for tweet in tweets for word in words_of(tweet)]
    trigrams = Counter(tweet[at : at + 3] for tweet in tweets for at in range(len(tweet) - 2))
    judged = Counter(map(novelty.classify, tweets))
    return Quality(
        num_tweets=len(tweets),
        known_word_share=_share(sum(word not in unknown_words for word in words), len(words)),
        distinct_3=_share(len(trigrams), trigrams.total()),
        copy_share=judged["copy"] / len(tweets),
        near_copy_share=judged["near-copy"] / len(tweets),
        mean_chars=sum(map(len, tweets)) / len(tweets),
        ended_share=num_ended / len(tweets),
    )


def words_of(tweet: str) -> list[str]:
    """Return the words of a tweet, normalized like a duplicate key: without case and punctuation."""
    return duplicate_key(tweet).split()


def unknown_words_in(train: Iterable[str], tweets: Iterable[str]) -> frozenset[str]:
    """Return the words of `tweets` that occur in no training tweet; memory depends on `tweets` alone."""
    words = {word for tweet in tweets for word in words_of(tweet)}
    for tweet in train:
        words.difference_update(words_of(tweet))
    return frozenset(words)


def evenly_spaced(tweets: FlatTweets, count: int) -> list[str]:
    """Return `count` of `tweets` at equal distances, or all if there are fewer."""
    indices = np.linspace(0, len(tweets), min(count, len(tweets)), endpoint=False).astype(np.int64)
    return list(tweets.select(indices))


def _share(part: int, whole: int) -> float:
    """Return `part` / `whole`, or 0 if `whole` is 0."""
    return part / whole if whole else 0.0
