"""A packed batch holds every real target once and no padding, and knows where each row's state was a step before."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.fast.packing import PackedBatch
from tests.engine.fast_batches import random_batch

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=8)


@given(LENGTHS)
def test_every_real_target_comes_once_at_its_step_and_its_tweet(lengths: list[int]) -> None:
    batch = random_batch(lengths, vocab_size=50)

    packed = PackedBatch.from_batch(batch)

    assert len(packed) == batch.num_targets == sum(packed.row_counts)
    seen = []
    row = 0
    for step, count in enumerate(packed.row_counts):
        for tweet in packed.order[:count].tolist():
            assert packed.inputs[row] == batch.inputs[tweet, step]
            assert packed.targets[row] == batch.targets[tweet, step]
            seen.append((tweet, step))
            row += 1
    assert sorted(seen) == [(tweet, step) for tweet, length in enumerate(lengths) for step in range(length)]


@given(LENGTHS)
def test_the_previous_state_of_a_row_is_that_of_the_same_tweet_one_step_before(lengths: list[int]) -> None:
    packed = PackedBatch.from_batch(random_batch(lengths, vocab_size=50))
    places = [(int(tweet), step) for step, count in enumerate(packed.row_counts) for tweet in packed.order[:count]]
    states = [(int(tweet), -1) for tweet in packed.order] + places

    previous = [states[index] for index in packed.previous.tolist()]

    assert previous == [(tweet, step - 1) for tweet, step in places]


def test_the_longest_tweet_comes_first_and_equals_stay_in_order() -> None:
    packed = PackedBatch.from_batch(random_batch([2, 5, 2, 5], vocab_size=9))

    assert torch.equal(packed.order, torch.tensor([1, 3, 0, 2]))
    assert packed.row_counts == [4, 4, 2, 2, 2]
