"""How much a set of tweets is like those of the corpus: real words, variety, novelty, length.

No figure says "good" by itself. A model that repeats one training tweet has only real words, and one that throws dice
has all the variety. So the same figures are made of tweets that people wrote, and the two are read side by side.
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
    """Figures of some tweets; shares are 0 to 1."""

    num_tweets: int
    known_word_share: float
    """Words that occur in the training tweets, of all words: without case, @names, links and punctuation."""
    distinct_3: float
    """Different runs of three characters, of all (Li et al. 2016, arXiv:1510.03055, who count words); falls with
    `num_tweets`, so only equally many tweets compare."""
    copy_share: float
    """Tweets that are in the training tweets."""
    near_copy_share: float
    """Tweets of which half or more lies in long runs of a training tweet."""
    mean_chars: float
    ended_share: float
    """Tweets that came to their `<EOS>` before they were cut."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Figures of a model's tweets, and of as many that people wrote."""

    temperature: float
    """That the model's were drawn at."""
    seed: int
    """Of the model's first tweet."""
    written: Quality
    held_out: Quality
    train_mean_chars: float
    """Length of the training tweets."""


def compare(written: Sequence[GeneratedTweet], held_out: FlatTweets, corpus: Corpus) -> Comparison:
    """Compare at least one tweet of a model trained on `corpus` with as many of `held_out`, or all if it has less."""
    texts, real = [tweet.text for tweet in written], spread_over(held_out, len(written))
    unknown_words = words_not_in(corpus.train, [*texts, *real])
    num_ended = sum(tweet.reached_eos for tweet in written)
    of_written, of_real = (
        quality_of(tweets, num_ended=ended, unknown_words=unknown_words, novelty=corpus.novelty)
        for tweets, ended in ((texts, num_ended), (real, len(real)))  # a tweet of a person has always ended
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
    """Return the figures of at least one tweet; `unknown_words` are those of `words_not_in`."""
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
    """Return the words of a tweet as those are compared that say the same: case and punctuation do not count."""
    return duplicate_key(tweet).split()


def words_not_in(train: Iterable[str], tweets: Iterable[str]) -> frozenset[str]:
    """Return the words of `tweets` that no training tweet holds; memory goes with `tweets` alone."""
    words = {word for tweet in tweets for word in words_of(tweet)}
    for tweet in train:
        words.difference_update(words_of(tweet))
    return frozenset(words)


def spread_over(tweets: FlatTweets, count: int) -> list[str]:
    """Return `count` of `tweets` at equal distances, all of them where there are no more."""
    indices = np.linspace(0, len(tweets), min(count, len(tweets)), endpoint=False).astype(np.int64)
    return list(tweets.select(indices))


def _share(part: int, whole: int) -> float:
    """Return `part` of `whole`, 0 to 1; of nothing, 0."""
    return part / whole if whole else 0.0
