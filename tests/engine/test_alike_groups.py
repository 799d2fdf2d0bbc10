"""Near-duplicate groups and shared runs: the same as by comparing every pair of tweets in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.corpus.alike.joining import Fingerprints, join_alike, join_pairs
from engine.corpus.alike.near_duplicates import MIN_CHARS, MIN_WORDS, deletion_hashes, near_duplicate_groups
from engine.corpus.alike.runs import SHARED_RUN, join_shared_runs, winnowed
from engine.corpus.flat import FlatTweets

WORDS = ("a", "so", "sun", "shine", "birthday", "été", "お誕生日", "mia")
KEYS = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=14)
EDITED = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(0, 2), st.sampled_from(("", "mia", "mia so"))),
    max_size=14,
)
BASES = (
    "happy birthday to the best sister in all of this world",
    "so glad that the sun is out and we can go",
    "short and sweet are five words",
)


def components(count: int, pairs: set[tuple[int, int]]) -> list[int]:
    """Return the smallest number of each one's component."""
    labels = list(range(count))
    for _ in range(count):
        for one, other in pairs:
            labels[one] = labels[other] = min(labels[one], labels[other])
    return labels


def remainders(key: str) -> set[tuple[str, ...]]:
    """Return the words that may be left of a key, sorted."""
    words = [word for word in key.split(" ") if word]
    kept = [words[:start] + words[start + gone :] for gone in (0, 1, 2) for start in range(len(words) - gone + 1)]
    return {tuple(sorted(each)) for each in kept if len(each) >= MIN_WORDS and len(" ".join(each)) >= MIN_CHARS}


def are_near_duplicates(one: str, other: str) -> bool:
    return one == other or bool(remainders(one) & remainders(other))


def share_a_run(one: str, other: str) -> bool:
    return any(one[start : start + SHARED_RUN] in other for start in range(len(one) - SHARED_RUN + 1))


def pairwise_labels(keys: list[str], are_alike: Callable[[str, str], bool]) -> list[int]:
    """Return the groups that comparing every pair gives."""
    pairs = {(i, j) for i, j in combinations(range(len(keys)), 2) if are_alike(keys[i], keys[j])}
    return components(len(keys), pairs)


def edited(edits: list[tuple[int, int, int, str]]) -> list[str]:
    """Return keys made from a few by cutting words out and putting others in."""
    keys = []
    for base, place, gone, added in edits:
        words = BASES[base].split()
        words[place : place + gone] = added.split()
        keys.append(" ".join(words))
    return keys


def groups_of(keys: list[str]) -> list[int]:
    return list(map(int, near_duplicate_groups(FlatTweets.from_texts(keys))))


@given(keys=KEYS | EDITED.map(edited))
def test_groups_are_those_that_comparing_every_pair_gives(keys: list[str]) -> None:
    assert groups_of(keys) == pairwise_labels(keys, are_near_duplicates)


@pytest.mark.parametrize(
    "other",
    [
        "happy birthday to the best brother in all of this world",
        "happy birthday to the best in all of this world",
        "happy birthday mia to the best sister in all of this world",
        "happy birthday mia lou to the best sister in all of this world",
        "to the best sister in all of this world happy birthday",
        "happy birthday tom lou the best sister in all of this world",
    ],
)
def test_a_changed_word_a_name_and_another_order_are_near_duplicates(other: str) -> None:
    assert groups_of([BASES[0], "and now for something", other]) == [0, 1, 0]


@pytest.mark.parametrize(
    "other",
    [
        "merry birthday to the best brother in all of that world",
        "happy birthday to the sister in of this",
        "happy birthday to the best sister",
    ],
)
def test_what_differs_in_more_than_that_is_no_near_duplicate(other: str) -> None:
    assert groups_of([BASES[0], other]) == [0, 1]


def test_short_tweets_are_duplicates_only_as_they_are() -> None:
    assert groups_of(["good day", "good", "day good", "good day", "", ""]) == [0, 1, 2, 0, 4, 4]


@pytest.mark.parametrize(("added", "changed"), [("", "changed"), ("extra", "changed"), ("extra words", "and changed")])
@pytest.mark.parametrize(
    ("rest", "is_enough"),
    [
        ("sunny sunday and cold tea", True),  # 5 words
        ("sunnysunday andmore coldtea wonderful", False),  # 4 words
        ("we all like pies so much", True),  # 24 characters
        ("we all like pie so much", False),  # 23 characters
    ],
)
def test_five_words_and_24_characters_must_be_left(rest: str, added: str, changed: str, is_enough: bool) -> None:
    words = rest.split()
    one = [*words[:2], *added.split(), *words[2:]]
    other = [*words[:3], *changed.split(), *words[3:]]
    assert groups_of([" ".join(one), " ".join(other)]) == [0, 0 if is_enough else 1]


@given(keys=st.lists(st.text("ab é", min_size=15, max_size=60), max_size=10), chance=st.randoms())
def test_shared_runs_are_always_found(keys: list[str], chance: random.Random) -> None:
    keys += [
        key[cut : cut + SHARED_RUN + chance.randint(-1, 3)] + "x" for key in keys for cut in (0, chance.randint(0, 30))
    ]
    labels = join_shared_runs(FlatTweets.from_texts(keys), np.arange(len(keys)))
    for one, other in combinations(range(len(keys)), 2):
        if share_a_run(keys[one], keys[other]):
            assert labels[one] == labels[other]


@given(seed=st.integers(0, 10_000), before=st.integers(0, 40), after=st.integers(0, 40))
def test_a_run_of_24_characters_has_a_fingerprint_wherever_it_stands(seed: int, before: int, after: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a text, no secret
    run, one, other = ("".join(chance.choices("abcdeé ", k=count)) for count in (SHARED_RUN, before, after))
    hashes, owners = winnowed(FlatTweets.from_texts([run, one + run + other, run[1:]]))
    assert set(hashes[owners == 0].tolist()) <= set(hashes[owners == 1].tolist())
    assert (owners == 0).any()
    assert not (owners == 2).any()


def test_tweets_without_a_long_run_in_common_stay_apart() -> None:
    keys = ["we sing in the rain all happy", "they sing in the rain till dawn", "quite another text long enough"]
    assert not share_a_run(keys[0], keys[1])
    assert join_shared_runs(FlatTweets.from_texts(keys), np.arange(3)).tolist() == [0, 1, 2]


def test_a_run_over_the_border_between_two_tweets_joins_nothing() -> None:
    keys = ["abcdefghijklmnopqrst", "uvwxyz0123456789qwert", "opqrstuvwxyz0123456789qw"]
    assert join_shared_runs(FlatTweets.from_texts(keys), np.arange(3)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("fingerprints", [deletion_hashes, winnowed])
@given(edits=EDITED, buffer_hashes=st.sampled_from((1, 2, 7, 40)))
def test_several_passes_and_a_small_buffer_join_what_one_pass_joins(
    fingerprints: Fingerprints, edits: list[tuple[int, int, int, str]], buffer_hashes: int
) -> None:
    tweets = FlatTweets.from_texts(edited(edits))
    numbers = np.arange(len(tweets))
    labels = join_alike(tweets, numbers, fingerprints)
    assert join_alike(tweets, numbers, fingerprints, buffer_hashes=buffer_hashes).tolist() == labels.tolist()


@settings(deadline=None)
@given(repeats=st.integers(1, 4))
def test_tweets_of_different_chunks_are_joined(repeats: int) -> None:
    chance = random.Random(repeats)  # noqa: S311 - a text, no secret
    filler = ["".join(chance.choices("abcdefgh ", k=3_000)) for _ in range(120)]
    keys = (BASES[0:1] + tuple(filler)) * repeats + (BASES[0] + " mia",)
    tweets = FlatTweets.from_texts(keys)
    assert near_duplicate_groups(tweets)[-1] == 0
    assert join_shared_runs(tweets, np.arange(len(keys))).tolist() == [*list(range(121)) * repeats, 0]


@given(
    count=st.integers(1, 40),
    pairs=st.sets(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=40),
    more=st.sets(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=10),
)
def test_joining_pairs_gives_connected_components(
    count: int, pairs: set[tuple[int, int]], more: set[tuple[int, int]]
) -> None:
    labels = np.arange(count)
    pairs, more = ({(i % count, j % count) for i, j in each} for each in (pairs, more))
    for some in (pairs, more):
        ones, others = np.array([*some], dtype=np.int64).reshape(-1, 2).T
        join_pairs(labels, ones, others)
    assert labels.tolist() == components(count, pairs | more)


def test_without_tweets_there_are_no_groups() -> None:
    assert groups_of([]) == []
    assert join_shared_runs(FlatTweets.from_texts([]), np.arange(0)).tolist() == []
