"""Statistics of tweets, checked by hand on a few of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from engine.corpus.corpus import Corpus, digest_of
from engine.corpus.flat_tweets import FlatTweets, char_counts
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.report import CorpusReport
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.sampling.generation import GeneratedTweet
from engine.sampling.quality import Comparison, compare, unknown_words_in, words_of
from tests.strategies import tweet_lists

TRAIN = ("mum made a cake", "we love the rain and the long walk home after it", "so late again :)")


def corpus_of(tweets: Sequence[str]) -> Corpus:
    train = FlatTweets.from_texts(tweets)
    return Corpus(
        name="example",
        train=train,
        validation=train,
        num_train_by_file=(len(train),),
        char_counts=char_counts(train),
        novelty=NoveltyIndex.from_keys(FlatTweets.from_texts(map(duplicate_key, tweets))),
        digest=digest_of(train),
        report=CorpusReport(sources=()),
    )


def sampled(text: str, *, reached_eos: bool = True, seed: int = 7) -> GeneratedTweet:
    return GeneratedTweet(
        text=text, temperature=0.8, seed=seed, reached_eos=reached_eos, bits_per_char=2.0, novelty=None
    )


def compared(texts: Sequence[str], held_out: Sequence[str] = ("a b",)) -> Comparison:
    return compare([sampled(text) for text in texts], FlatTweets.from_texts(held_out), corpus_of(TRAIN))


def test_known_words_distinct_trigrams_and_copies_are_shares_of_what_was_written() -> None:
    # without case, names and punctuation
    assert compared(["@bob MUM, loved the cake!"]).written.known_word_share == pytest.approx(3 / 4)
    # abc bca cab abc | abc: three different ones of five; none crosses from one tweet to the next
    assert compared(["abcabc", "abc", "ab", ""]).written.distinct_3 == pytest.approx(3 / 5)
    new, copy, near = "a fox sang", "Mum made a cake!!", "we love the rain and the long walk home, then tea"
    quality = compared([new, copy, near, new]).written
    assert (quality.copy_share, quality.near_copy_share) == (0.25, 0.25)


def test_a_comparison_has_temperature_seed_and_the_share_that_ended() -> None:
    tweets = [sampled("ab", reached_eos=False, seed=11), *[sampled("ab", seed=12)] * 3]
    comparison = compare(tweets, FlatTweets.from_texts(["a"]), corpus_of(TRAIN))
    assert (comparison.temperature, comparison.seed) == (0.8, 11)
    assert (comparison.written.ended_share, comparison.held_out.ended_share) == (0.75, 1)


@given(train=tweet_lists(max_size=8), tweets=tweet_lists(max_size=8))
def test_unknown_words_are_those_in_no_training_tweet(train: list[str], tweets: list[str]) -> None:
    known = {word for tweet in train for word in words_of(tweet)}
    assert unknown_words_in(train, tweets) == {word for tweet in tweets for word in words_of(tweet)} - known
