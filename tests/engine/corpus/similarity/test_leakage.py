"""The leakage equals that of a brute-force search for every run of 30 characters."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.leakage import LEAK_RUN, comparison_text, leak_share

RUN = "we waited for the bus, and then"[:LEAK_RUN]
TWEETS = st.lists(st.text("ab! é", min_size=25, max_size=50), max_size=8)


def leak(train: list[str], validation: list[str]) -> float:
    return leak_share(FlatTweets.from_texts(train), FlatTweets.from_texts(validation))


def brute_force(train: list[str], validation: list[str]) -> float:
    """Return the leakage by brute force."""
    known = [comparison_text(tweet) for tweet in train]
    asked = [comparison_text(tweet) for tweet in validation]
    leaked = [
        any(tweet[start : start + LEAK_RUN] in other for other in known for start in range(len(tweet) - LEAK_RUN + 1))
        for tweet in asked
    ]
    return sum(leaked) / len(leaked) if leaked else 0.0


@given(train=TWEETS, validation=TWEETS, chance=st.randoms())
def test_the_figure_is_that_of_a_search_for_every_run(
    train: list[str], validation: list[str], chance: random.Random
) -> None:
    for tweet in train[:4]:
        start = chance.randint(0, 15)
        validation.append("x" * chance.randint(0, 5) + tweet[start : start + LEAK_RUN + 2])
    assert leak(train, validation) == brute_force(train, validation)


@pytest.mark.parametrize(
    ("tweet", "expected"),
    [
        (f"so {RUN.upper()} it came", 1),
        (RUN.replace(" for", " @tom  for\t"), 1),
        (RUN.replace(" and", " http://a.example/b and"), 1),
        (RUN.replace(",", ""), 0),
        (RUN[1:], 0),
    ],
)
def test_only_case_mentions_links_and_the_width_of_blanks_do_not_count(tweet: str, expected: int) -> None:
    assert len(RUN) == LEAK_RUN
    assert leak(["something else", f"well, {RUN}!"], [tweet]) == expected


def test_a_run_over_the_border_between_two_tweets_is_no_leak() -> None:
    assert leak([RUN[:15], RUN[15:]], [RUN]) == 0
    assert leak([RUN], [RUN[:15], RUN[15:]]) == 0


def test_tweets_of_all_chunks_are_compared() -> None:
    chance = random.Random(1)  # noqa: S311 - a text, no secret
    filler = ["".join(chance.choices("abcdefgh ", k=3_000)) for _ in range(120)]
    assert leak([*filler, RUN], [*filler[:2], RUN, "another one"]) == 0.75
    assert leak([RUN], [*filler, RUN]) == pytest.approx(1 / 121)
