"""The hashes of runs: equal for equal runs wherever they stand, whatever the chunk; and which places begin a window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.alike.hashing import Chars, RunHasher, begins_window, chunks_of, mix, whole_hashes
from engine.corpus.alike.sets import BitTable, are_in, distinct
from engine.corpus.flat import FlatTweets

TEXTS = st.lists(st.text("ab é世😀", max_size=20), max_size=12)
HASHES = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40).map(lambda number: number << 58), max_size=60)


@given(texts=TEXTS)
def test_characters_are_code_points_not_bytes(texts: list[str]) -> None:
    chars = Chars.of(FlatTweets.from_texts(texts))
    assert list(map(chr, chars.codes)) == list("".join(texts))
    assert chars.lengths.tolist() == list(map(len, texts))
    assert chars.owners.tolist() == [number for number, text in enumerate(texts) for _ in text]


@given(texts=TEXTS, size=st.integers(1, 8))
def test_two_windows_have_one_hash_when_and_only_when_they_are_equal(texts: list[str], size: int) -> None:
    joined = "".join(texts)
    windows = [joined[start : start + size] for start in range(len(joined) - size + 1)]
    hashes = RunHasher.of(Chars.of(FlatTweets.from_texts(texts))).windows(size).tolist()
    assert len(hashes) == len(windows)
    assert len(set(hashes)) == len(set(windows)) == len(set(zip(windows, hashes, strict=True)))


@given(texts=TEXTS, size=st.integers(1, 8))
def test_a_window_begins_where_all_of_it_lies_in_one_tweet(texts: list[str], size: int) -> None:
    begins = begins_window(Chars.of(FlatTweets.from_texts(texts)), size)
    assert begins.tolist() == [len(text) - place >= size for text in texts for place in range(len(text))]


@given(texts=st.lists(st.text("ab\0", max_size=6), max_size=30))
def test_whole_tweets_have_one_hash_when_and_only_when_they_are_equal(texts: list[str]) -> None:
    hashes = whole_hashes(Chars.of(FlatTweets.from_texts(texts))).tolist()
    assert len(set(hashes)) == len(set(texts)) == len(set(zip(texts, hashes, strict=True)))


def test_a_hash_is_the_same_in_every_process_and_far_into_a_long_text() -> None:
    chars = Chars.of(FlatTweets.from_texts(["sunny day", "x" * 600_000 + "sunny day"]))
    hasher, starts = RunHasher.of(chars), np.array([0, 9 + 600_000])
    assert mix(hasher.runs(starts, starts + 9)).tolist() == [12034776648049966825] * 2


@given(texts=TEXTS, size=st.integers(1, 100))
def test_chunks_hold_all_tweets_in_order_each_small_or_a_single_tweet(texts: list[str], size: int) -> None:
    chunks = list(chunks_of(FlatTweets.from_texts(texts), size))
    assert [text for _, chunk in chunks for text in chunk] == texts
    assert [first for first, _ in chunks] == np.cumsum([0, *(len(chunk) for _, chunk in chunks)]).tolist()[:-1]
    assert all(len(chunk) == 1 or chunk.utf8.size <= size for _, chunk in chunks)


@pytest.mark.parametrize("num_slots", [1, 1_000_000])
@given(ones=HASHES, others=HASHES)
def test_a_bit_table_never_misses_what_was_put_in(num_slots: int, ones: list[int], others: list[int]) -> None:
    table = BitTable(num_slots)
    for hashes in (ones, others):
        table.add(table.slots(np.sort(np.array(hashes, dtype=np.uint64))))
    assert table.has(table.slots(np.array(ones + others, dtype=np.uint64))).all()
    slots = {int(slot) for slot in table.slots(np.array(ones + others, dtype=np.uint64))}
    strange = np.array([slot for slot in range(2000) if slot not in slots], dtype=np.uint64)
    assert not table.has(strange).any()


@given(hashes=HASHES, asked=HASHES)
def test_a_sorted_set_holds_what_was_put_in_and_nothing_else(hashes: list[int], asked: list[int]) -> None:
    known = distinct(np.array(hashes, dtype=np.uint64))
    assert known.tolist() == sorted(set(hashes))
    assert are_in(known, np.array(asked, dtype=np.uint64)).tolist() == [each in hashes for each in asked]


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_set_of_several_parts_is_distinct_across_their_borders(repeats: int) -> None:
    numbers = np.arange(2_100_000 // repeats, dtype=np.uint64)
    assert np.array_equal(distinct(np.repeat(numbers, repeats)[::-1].copy()), numbers)
