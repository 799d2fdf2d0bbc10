"""The training tweet most similar to a text, as found by comparing it with every tweet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.flat_tweets import FlatTweets
from engine.sampling.nearest import NearestTweet, nearest_tweet
from tests.engine.helpers import small_tweets
from tests.strategies import hostile_text, tweet_lists

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
