"""The training tweet that is most like a text: the same one that comparing with every tweet finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.flat_tweets import FlatTweets
from engine.sampling.nearest import Nearest, nearest_tweet
from tests.engine.helpers import small_tweets
from tests.strategies import hostile_text, tweet_lists

TWEETS = small_tweets(60)


def nearest(tweets: list[str], text: str) -> Nearest:
    return nearest_tweet(FlatTweets.from_texts(tweets), text)


def runs(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(len(text) - 2)}


def best_share(tweets: list[str], text: str) -> float:
    """Return the largest share that any tweet has, found by comparing with all."""
    wanted = runs(text)
    return max((len(wanted & runs(tweet)) / max(1, len(wanted | runs(tweet))) for tweet in tweets), default=0.0)


def test_a_changed_tweet_is_nearest_to_what_it_was() -> None:
    tweets = ["hahahahahahahahahahaha", "the rain in spring", *TWEETS]

    found = nearest(tweets, "oh the rain in the spring, ha")

    assert found.text == "the rain in spring"
    assert found.share == pytest.approx(best_share(tweets, "oh the rain in the spring, ha"), abs=5e-4)


def test_what_has_nothing_in_common_with_any_tweet_is_near_none() -> None:
    assert nearest(TWEETS, "1234567890") == Nearest()
    assert nearest(TWEETS, "") == Nearest()
    assert nearest(TWEETS, "ab") == Nearest()
    assert nearest([], "anything at all") == Nearest()
    assert nearest(["", "a"], "anything at all") == Nearest()


@given(tweets=tweet_lists(), text=st.text(max_size=60) | hostile_text())
def test_it_is_as_near_as_the_nearest_of_all(tweets: list[str], text: str) -> None:
    found = nearest(tweets, text)

    assert found.share == pytest.approx(best_share(tweets, text), abs=5e-4)
    assert bool(found.text) == (found.share > 0)


def test_a_hostile_tweet_of_the_corpus_comes_out_harmless() -> None:
    assert nearest(["\x1b[31mred alert\x1b[0m"], "red alert").text == "red alert"
