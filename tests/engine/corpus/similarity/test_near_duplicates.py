"""Near-duplicate groups and shared runs equal those of comparing every pair of tweets in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.components import Fingerprints, join_similar
from engine.corpus.similarity.near_duplicates import MIN_CHARS, MIN_WORDS, deletion_hashes, near_duplicate_groups
from engine.corpus.similarity.rolling_hash import CodePoints, RunHasher, mix
from engine.corpus.similarity.sorted_sets import distinct
from engine.corpus.similarity.winnowing import SHARED_RUN, join_shared_runs, winnowed
from engine.protocol.stage import no_progress

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


def remainders(key: str) -> set[tuple[str, ...]]:
    """Return the sorted words of a key after each possible deletion."""
    words = [word for word in key.split(" ") if word]
    kept = [words[:start] + words[start + gone :] for gone in (0, 1, 2) for start in range(len(words) - gone + 1)]
    return {tuple(sorted(each)) for each in kept if len(each) >= MIN_WORDS and len(" ".join(each)) >= MIN_CHARS}


def are_near_duplicates(one: str, other: str) -> bool:
    return one == other or bool(remainders(one) & remainders(other))


def share_a_run(one: str, other: str) -> bool:
    return any(one[start : start + SHARED_RUN] in other for start in range(len(one) - SHARED_RUN + 1))


def pairwise_labels(keys: list[str], are_alike: Callable[[str, str], bool]) -> list[int]:
    """Return the groups by comparing every pair: the smallest index of each."""
    pairs = {(i, j) for i, j in combinations(range(len(keys)), 2) if are_alike(keys[i], keys[j])}
    labels = list(range(len(keys)))
    for _ in keys:
        for one, other in pairs:
            labels[one] = labels[other] = min(labels[one], labels[other])
    return labels


def edited(edits: list[tuple[int, int, int, str]]) -> list[str]:
    """Return variants of `BASES` with words deleted and inserted."""
    keys = []
    for base, place, gone, added in edits:
        words = BASES[base].split()
        words[place : place + gone] = added.split()
        keys.append(" ".join(words))
    return keys


def groups_of(keys: list[str]) -> list[int]:
    return list(map(int, near_duplicate_groups(FlatTweets.from_texts(keys))))


@given(keys=KEYS | EDITED.map(edited))
def test_groups_equal_those_of_comparing_every_pair(keys: list[str]) -> None:
    assert groups_of(keys) == pairwise_labels(keys, are_near_duplicates)


def test_a_changed_word_a_name_and_another_order_are_near_duplicates_and_no_more() -> None:
    for other, is_alike in (
        ("happy birthday to the best brother in all of this world", True),
        ("happy birthday mia lou to the best sister in all of this world", True),
        ("to the best sister in all of this world happy birthday", True),
        ("merry birthday to the best brother in all of that world", False),
        ("happy birthday to the sister in of this", False),
    ):
        assert groups_of([BASES[0], "and now for something", other]) == [0, 1, 0 if is_alike else 2]


@given(keys=st.lists(st.text("ab é", min_size=15, max_size=60), max_size=10), chance=st.randoms())
def test_shared_runs_are_always_found(keys: list[str], chance: random.Random) -> None:
    keys += [
        key[cut : cut + SHARED_RUN + chance.randint(-1, 3)] + "x" for key in keys for cut in (0, chance.randint(0, 30))
    ]
    labels = join_shared_runs(FlatTweets.from_texts(keys), np.arange(len(keys)))
    for one, other in combinations(range(len(keys)), 2):
        if share_a_run(keys[one], keys[other]):
            assert labels[one] == labels[other]


def test_tweets_with_too_short_runs_or_one_over_the_border_between_two_stay_apart() -> None:
    for keys in (
        ["we sing in the rain all happy", "they sing in the rain till dawn", "quite another text long enough"],
        ["abcdefghijklmnopqrst", "uvwxyz0123456789qwert", "opqrstuvwxyz0123456789qw"],
    ):
        assert join_shared_runs(FlatTweets.from_texts(keys), np.arange(3)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("fingerprints", [deletion_hashes, winnowed])
@given(edits=EDITED, buffer_hashes=st.sampled_from((1, 2, 7, 40)))
def test_several_passes_and_a_small_buffer_join_what_one_pass_joins(
    fingerprints: Fingerprints, edits: list[tuple[int, int, int, str]], buffer_hashes: int
) -> None:
    tweets = FlatTweets.from_texts(edited(edits))
    numbers = np.arange(len(tweets))
    labels = join_similar(tweets, numbers, fingerprints, no_progress, "")
    assert join_similar(tweets, numbers, fingerprints, no_progress, "", buffer_hashes).tolist() == labels.tolist()


def test_tweets_of_different_chunks_are_joined() -> None:
    chance = random.Random(3)  # noqa: S311 - a text, no secret
    filler = ["".join(chance.choices("abcdefgh ", k=3_000)) for _ in range(120)]
    keys = (BASES[0:1] + tuple(filler)) * 2 + (BASES[0] + " mia",)
    tweets = FlatTweets.from_texts(keys)
    assert near_duplicate_groups(tweets)[-1] == 0
    assert join_shared_runs(tweets, np.arange(len(keys))).tolist() == [*list(range(121)) * 2, 0]


def test_a_hash_is_the_same_in_every_process_and_far_into_a_long_text() -> None:
    chars = CodePoints.of(FlatTweets.from_texts(["sunny day", "x" * 600_000 + "sunny day"]))
    hasher, starts = RunHasher.of(chars), np.array([0, 9 + 600_000])
    assert mix(hasher.runs(starts, starts + 9)).tolist() == [12034776648049966825] * 2


def test_a_set_of_several_parts_is_distinct_across_their_borders() -> None:
    for repeats in (1, 3):
        numbers = np.arange(2_100_000 // repeats, dtype=np.uint64)
        assert np.array_equal(distinct(np.repeat(numbers, repeats)[::-1].copy()), numbers)
