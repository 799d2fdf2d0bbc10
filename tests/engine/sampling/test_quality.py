"""Statistics of tweets, and the training tweet most similar to a text, checked by hand or by comparing with all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.corpus import Corpus, digest_of
from engine.corpus.flat_tweets import FlatTweets, char_counts
from engine.corpus.ingest.cleaning import duplicate_key
from engine.corpus.report import CorpusReport
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.sampling.generation import GeneratedTweet
from engine.sampling.nearest import NearestTweet, nearest_tweet
from engine.sampling.quality import Comparison, compare, unknown_words_in, words_of
from tests.engine.helpers import small_tweets
from tests.strategies import hostile_text, tweet_lists

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


def compared(*tweets: GeneratedTweet) -> Comparison:
    return compare(list(tweets), FlatTweets.from_texts(["a b"]), corpus_of(TRAIN))


def test_known_words_distinct_trigrams_and_copies_are_shares_of_what_was_written() -> None:
    # without case, names and punctuation
    assert compared(sampled("@bob MUM, loved the cake!")).written.known_word_share == pytest.approx(3 / 4)
    # abc bca cab abc | abc: three different ones of five; none crosses from one tweet to the next
    assert compared(*map(sampled, ("abcabc", "abc", "ab", ""))).written.distinct_3 == pytest.approx(3 / 5)
    new, copy, near = "a fox sang", "Mum made a cake!!", "we love the rain and the long walk home, then tea"
    quality = compared(*map(sampled, (new, copy, near, new))).written
    assert (quality.copy_share, quality.near_copy_share) == (0.25, 0.25)
    comparison = compared(sampled("ab", reached_eos=False, seed=11), *[sampled("ab", seed=12)] * 3)
    assert (comparison.temperature, comparison.seed) == (0.8, 11)
    assert (comparison.written.ended_share, comparison.held_out.ended_share) == (0.75, 1)


@given(train=tweet_lists(max_size=8), tweets=tweet_lists(max_size=8))
def test_unknown_words_are_those_in_no_training_tweet(train: list[str], tweets: list[str]) -> None:
    known = {word for tweet in train for word in words_of(tweet)}
    assert unknown_words_in(train, tweets) == {word for tweet in tweets for word in words_of(tweet)} - known


# The nearest tweet ----------------------------------------------------------------------------------------------------

TWEETS = small_tweets(60)


def nearest(tweets: list[str], text: str) -> NearestTweet:
    return nearest_tweet(FlatTweets.from_texts(tweets), text)


def trigrams(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(len(text) - 2)}


def best_share(tweets: list[str], text: str) -> float:
    """Return the highest Jaccard index, found by comparing with all tweets."""
    query = trigrams(text)
    return max((len(query & trigrams(tweet)) / max(1, len(query | trigrams(tweet))) for tweet in tweets), default=0.0)


def test_a_changed_tweet_is_nearest_to_its_original_as_harmless_text_and_one_without_shared_trigrams_to_none() -> None:
    tweets = ["hahahahahahahahahahaha", "the rain in spring", "\x1b[31mred alert\x1b[0m", *TWEETS]
    assert nearest(tweets, "oh the rain in the spring, ha").text == "the rain in spring"
    assert nearest(tweets, "red alert").text == "red alert"
    assert [nearest(TWEETS, text) for text in ("1234567890", "", "ab")] == [NearestTweet()] * 3
    assert [nearest(few, "anything at all") for few in ([], ["", "a"])] == [NearestTweet()] * 2


@given(tweets=tweet_lists(), text=st.text(max_size=60) | hostile_text())
def test_it_has_the_highest_similarity_of_all_tweets(tweets: list[str], text: str) -> None:
    found = nearest(tweets, text)
    assert found.share == pytest.approx(best_share(tweets, text), abs=5e-4)
    assert bool(found.text) == (found.share > 0)
