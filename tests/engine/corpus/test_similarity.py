"""Similar tweets are grouped as comparing every pair does, split as whole groups, and copies of them detected."""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus import hashing
from engine.corpus.arrays import FlatTweets
from engine.corpus.cleaning import duplicate_key
from engine.corpus.collect import key_digests
from engine.corpus.corpus import load_corpus
from engine.corpus.hashing import STRIDE, WINDOW, GrowingSet, HashedChars, NoveltyIndex, distinct, mix
from engine.corpus.inspection import LEAK_RUN, comparison_text, leak_share
from engine.corpus.similarity import (
    MIN_CHARS,
    MIN_WORDS,
    SHARED_RUN,
    Fingerprints,
    deletion_hashes,
    join_shared_runs,
    join_similar,
    near_duplicate_groups,
    num_validation_tweets,
    validation_mask,
    winnowed,
)
from engine.protocol.progress import no_progress
from tests.engine.helpers import small_tweets, write_corpus
from tests.strategies import tweet_lists

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


def share_a_run(one: str, other: str, size: int = SHARED_RUN) -> bool:
    return any(one[start : start + size] in other for start in range(len(one) - size + 1))


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


def filler(seed: int) -> list[str]:
    """Return texts that are too long for one chunk."""
    chance = random.Random(seed)  # noqa: S311 - a text, no secret
    return ["".join(chance.choices("abcdefgh ", k=3_000)) for _ in range(120)]


def test_tweets_of_different_chunks_are_joined() -> None:
    tweets = FlatTweets.from_texts([BASES[0], *filler(3)] * 2 + [f"{BASES[0]} mia"])
    assert near_duplicate_groups(tweets)[-1] == 0
    assert join_shared_runs(tweets, np.arange(len(tweets))).tolist() == [*list(range(121)) * 2, 0]


def test_a_hash_is_the_same_in_every_process_and_far_into_a_long_text() -> None:
    chars = HashedChars.of(FlatTweets.from_texts(["sunny day", "x" * 600_000 + "sunny day"]))
    starts = np.array([0, 9 + 600_000])
    assert mix(chars.runs(starts, starts + 9)).tolist() == [12034776648049966825] * 2


def test_a_set_of_several_parts_is_distinct_across_their_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_PART", 100)
    for repeats in (1, 3):
        numbers = np.arange(1000 // repeats, dtype=np.uint64)
        assert np.array_equal(distinct(np.repeat(numbers, repeats)[::-1].copy()), numbers)


@given(hashes=st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=12))
def test_a_growing_set_contains_what_was_added_and_nothing_else(hashes: list[list[int]]) -> None:
    growing, known = GrowingSet(), set[int]()
    for each in hashes:
        growing.add(np.array(sorted(set(each) - known), dtype=np.uint64))
        known |= set(each)
        queries = np.arange(61, dtype=np.uint64)
        assert growing.contains(queries).tolist() == [int(query) in known for query in queries]


UNIQUE_KEYS = st.lists(st.text("abcdefgh 0123", min_size=1, max_size=12), min_size=1, max_size=300, unique=True)
SONG = "and the rain came down on the little town"
"""Longer than a shared run."""


def mask_of(keys: list[str], groups: list[int] | None = None) -> list[bool]:
    labels = np.arange(len(keys)) if groups is None else np.array(groups, dtype=np.int64)
    flat_keys = FlatTweets.from_texts(keys)
    return list(map(bool, validation_mask(flat_keys, labels, key_digests(flat_keys))))


def held_out(keys: list[str], groups: list[int] | None = None) -> set[str]:
    """Return the keys that are held out."""
    return {key for key, is_held_out in zip(keys, mask_of(keys, groups), strict=True) if is_held_out}


def in_hash_order(keys: list[str]) -> list[str]:
    return sorted(keys, key=lambda key: hashlib.blake2b(key.encode(), digest_size=8).digest())


def plain(count: int) -> list[str]:
    """Return keys that have nothing in common."""
    return [f"{number:05}" for number in range(count)]


def test_five_percent_are_held_out_at_least_200_at_most_a_fifth() -> None:
    expected = {20: 4, 100: 20, 999: 199, 1000: 200, 2000: 200, 4000: 200, 5000: 250, 20_000: 1000}
    assert {num_tweets: num_validation_tweets(num_tweets) for num_tweets in expected} == expected


@given(keys=UNIQUE_KEYS)
def test_of_dissimilar_tweets_the_lowest_hashes_are_held_out(keys: list[str]) -> None:
    assert held_out(keys) == set(in_hash_order(keys)[: num_validation_tweets(len(keys))])


@given(keys=st.lists(st.text("ab", min_size=1, max_size=40), min_size=30, max_size=300), chance=st.randoms())
def test_no_group_is_split_and_at_most_the_intended_number_is_held_out(keys: list[str], chance: random.Random) -> None:
    groups = [number - number % chance.choice((1, 1, 2, 5)) for number in range(len(keys))]
    mask = mask_of(keys, groups)
    assert sum(mask) <= num_validation_tweets(len(keys))
    for group in set(groups):
        assert len({is_out for is_out, label in zip(mask, groups, strict=True) if label == group}) == 1


@pytest.mark.parametrize("size", [2, 10])
def test_tweets_that_share_a_long_run_are_never_split(size: int) -> None:
    keys = plain(20_000)
    for verse in range(400):
        shared = hashlib.sha256(b"%d" % verse).hexdigest()[:24]
        keys[verse * size : (verse + 1) * size] = [f"{line} {verse:08} {shared}" for line in range(size)]
    chosen = held_out(keys)
    assert len(chosen) == num_validation_tweets(len(keys))
    verses = [sum(key in chosen for key in keys[verse * size : (verse + 1) * size]) for verse in range(400)]
    assert set(verses) == {0, size}


def test_a_component_over_a_hundredth_of_the_size_stays_in_training() -> None:
    for size, outcomes in ((2, {(False, False), (True, True)}), (3, {(False, False, False)})):
        found = set()
        for song in range(20):
            verses = [f"{SONG} {song} {verse}" for verse in range(size)]
            found.add(tuple(mask_of(verses + plain(1_000)[size:])[:size]))  # 200 are wanted
        assert found == outcomes


def test_of_a_single_component_whole_groups_are_held_out_by_their_hashes_and_large_ones_if_they_fit() -> None:
    keys = [f"{SONG} {number}" for number in range(1000)]
    assert held_out(keys) == set(in_hash_order(keys)[:200])
    pairs = [number - number % 2 for number in range(1000)]
    chosen = held_out(keys, pairs)
    assert len(chosen) == 200
    assert all((keys[number] in chosen) == (keys[number + 1] in chosen) for number in range(0, 1000, 2))
    assert sum(mask_of(plain(1000), [number - number % 50 for number in range(1000)])) == 200
    assert sum(mask_of(plain(100), [number - number % 50 for number in range(100)])) == 0, "none would fit"


def test_no_tweet_is_in_both_splits_even_in_another_spelling(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    variants = [f"@bob {tweet.upper()} ... http://a.example/{number}" for number, tweet in enumerate(tweets)]
    corpus = load_corpus(CorpusConfig(files=(str(write_corpus(tmp_path, [*tweets, *variants])),)))
    train, validation = set(map(duplicate_key, corpus.train)), set(map(duplicate_key, corpus.validation))
    assert not train & validation
    assert len(train) + len(validation) == len(corpus.train) + len(corpus.validation) == 60


CORPUS = (
    "this is the day when everything goes just right for once",
    "i made pancakes for the whole street and nobody said no",
    "short one",
)


def index_of(tweets: Iterable[str]) -> NoveltyIndex:
    return NoveltyIndex.from_keys(FlatTweets.from_texts(map(duplicate_key, tweets)))


def letters(seed: int, count: int) -> str:
    """Return random letters, of which no two texts share a run."""
    return "".join(random.Random(seed).choices(string.ascii_lowercase, k=count))  # noqa: S311 - a text, no secret


@given(tweets=tweet_lists())
def test_every_tweet_of_the_corpus_is_a_copy(tweets: list[str]) -> None:
    index = index_of(tweets)
    assert {index.classify(tweet) for tweet in tweets} == {"copy"}


def test_a_tweet_without_a_shared_run_is_new_and_one_that_is_half_copied_a_near_copy() -> None:
    index, one, two = index_of(CORPUS), letters(1, 40), letters(2, 40)
    for tweet in ("a walk in the rain", "short", "short one and more", "", ":)", "one short"):
        assert index.classify(tweet) == "new"
        assert index.copied_share(tweet) == 0
    assert index.classify(CORPUS[0][:40] + " " + letters(1, 10)) == "near-copy"
    assert index.classify(CORPUS[0][:32] + " " + letters(2, 100)) == "new"
    assert index.classify(CORPUS[0][:36] + CORPUS[1][12:50]) == "near-copy"  # of two tweets
    assert index_of([one, two]).classify(one[-12:] + two[:12]) == "new", "a run across two tweets is no copy"


@given(seed=st.integers(0, 10_000), start=st.integers(0, 100), before=st.integers(0, 20), after=st.integers(0, 20))
def test_a_shared_run_of_31_characters_is_always_found(seed: int, start: int, before: int, after: int) -> None:
    tweet = letters(seed, 131)
    index = index_of([letters(seed + 1, 60), tweet, letters(seed + 2, 60)])
    run = tweet[start : start + WINDOW + STRIDE - 1]
    assert len(run) == 31
    shared = index.copied_share(letters(seed + 3, before) + run + letters(seed + 4, after))
    assert shared >= WINDOW / (before + 31 + after)


@given(seed=st.integers(0, 10_000), size=st.integers(1, WINDOW - 1))
def test_a_run_shorter_than_a_window_is_never_called_copied(seed: int, size: int) -> None:
    tweet = letters(seed, 120)
    assert index_of([tweet]).copied_share("0123456789" * 4 + tweet[:size] + "0123456789" * 4) == 0


def test_a_long_run_is_found_in_characters_whatever_their_bytes() -> None:
    tweet = "今日はとても良い天気ですから公園まで散歩に行きましょうねと母が言いました"
    index = index_of([tweet, "x"])
    assert index.classify(tweet[2:]) == "near-copy"
    assert index.copied_share(tweet[:23]) == 0


RUN = "we waited for the bus, and then"[:LEAK_RUN]
LEAKING = st.lists(st.text("ab! é", min_size=25, max_size=50), max_size=8)


def leak(train: list[str], validation: list[str]) -> float:
    return leak_share(FlatTweets.from_texts(train), FlatTweets.from_texts(validation))


def brute_force(train: list[str], validation: list[str]) -> float:
    """Return the leakage by brute force."""
    known, asked = (list(map(comparison_text, tweets)) for tweets in (train, validation))
    leaked = [any(share_a_run(tweet, other, LEAK_RUN) for other in known) for tweet in asked]
    return sum(leaked) / len(leaked) if leaked else 0.0


@given(train=LEAKING, validation=LEAKING, chance=st.randoms())
def test_leakage_is_as_found_by_brute_force(train: list[str], validation: list[str], chance: random.Random) -> None:
    for tweet in train[:4]:
        start = chance.randint(0, 15)
        validation.append("x" * chance.randint(0, 5) + tweet[start : start + LEAK_RUN + 2])
    assert leak(train, validation) == brute_force(train, validation)


def test_only_case_mentions_links_and_the_width_of_blanks_do_not_count() -> None:
    assert len(RUN) == LEAK_RUN
    for tweet, expected in (
        (f"so {RUN.upper()} it came", 1),
        (RUN.replace(" for", " @tom  for\t"), 1),
        (RUN.replace(" and", " http://a.example/b and"), 1),
        (RUN.replace(",", ""), 0),
        (RUN[1:], 0),
    ):
        assert leak(["something else", f"well, {RUN}!"], [tweet]) == expected


def test_the_chunks_of_a_large_corpus_are_compared_and_no_run_goes_over_a_border_between_tweets() -> None:
    assert leak([RUN[:15], RUN[15:]], [RUN]) == 0
    assert leak([RUN], [RUN[:15], RUN[15:]]) == 0
    long = filler(1)
    assert leak([*long, RUN], [*long[:2], RUN, "another one"]) == 0.75
    assert leak([RUN], [*long, RUN]) == pytest.approx(1 / 121)
