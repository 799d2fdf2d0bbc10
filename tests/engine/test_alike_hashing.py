"""The hashes of runs: equal for equal runs wherever they stand, in every process; and the sets that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.corpus.alike.hashing import Chars, RunHasher, mix
from engine.corpus.alike.sets import distinct
from engine.corpus.flat import FlatTweets


def test_a_hash_is_the_same_in_every_process_and_far_into_a_long_text() -> None:
    chars = Chars.of(FlatTweets.from_texts(["sunny day", "x" * 600_000 + "sunny day"]))
    hasher, starts = RunHasher.of(chars), np.array([0, 9 + 600_000])
    assert mix(hasher.runs(starts, starts + 9)).tolist() == [12034776648049966825] * 2


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_set_of_several_parts_is_distinct_across_their_borders(repeats: int) -> None:
    numbers = np.arange(2_100_000 // repeats, dtype=np.uint64)
    assert np.array_equal(distinct(np.repeat(numbers, repeats)[::-1].copy()), numbers)
