"""Every tweet comes once per epoch, with little padding, and the stream resumes at any position."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.batches import BatchStream, epoch_order, padding_shares
from engine.corpus.encoded_tweets import Batch, CorpusBatch, EncodedTweets
from engine.corpus.position import Position
from engine.model.vocab import BOS, EOS, PAD, UNK, Vocab
from tests.engine.helpers import encoded, encoded_with
from tests.strategies import tweet_lists

BATCH_SIZES = st.integers(1, 9)
SEEDS = st.integers(0, 2**63 - 1)


def epoch(tweets: EncodedTweets, batch_size: int, seed: int, number: int = 0) -> list[CorpusBatch]:
    """Return the batches of one epoch."""
    stream = BatchStream(tweets, batch_size, seed, Position(epoch=number))
    batches = [next(stream)]
    while stream.epochs < number + 1:
        batches.append(next(stream))
    return batches


def texts_of(batch: Batch, vocab: Vocab) -> list[str]:
    """Decode the tweets of a batch from its targets, up to EOS."""
    return [vocab.decode(row[: list(row).index(EOS)]) for row in batch.targets]


def as_lists(batches: Iterable[Batch]) -> list[list[list[int]]]:
    return [batch.inputs.tolist() for batch in batches]


@given(tweets=tweet_lists(), batch_size=BATCH_SIZES, seed=SEEDS, number=st.integers(0, 3))
def test_an_epoch_contains_every_tweet_once_with_targets_shifted_by_one(
    tweets: list[str], batch_size: int, seed: int, number: int
) -> None:
    numbers, vocab = encoded(tweets)
    batches = epoch(numbers, batch_size, seed, number)
    assert sorted(text for batch in batches for text in texts_of(batch, vocab)) == sorted(tweets)
    assert sum(batch.num_targets for batch in batches) == sum(map(len, tweets)) + len(tweets) == numbers.num_targets
    for batch in batches:
        assert 1 <= len(batch.inputs) <= batch_size
        assert (
            batch.inputs.shape == batch.targets.shape == (len(batch.inputs), 1 + max(map(len, texts_of(batch, vocab))))
        )
        assert batch.num_targets == (batch.targets != PAD).sum()
        assert (batch.inputs[:, 0] == BOS).all()
        for inputs, targets in zip(batch.inputs, batch.targets, strict=True):
            end = list(targets).index(EOS)
            assert (inputs[1 : end + 1] == targets[:end]).all()
            assert (inputs[end + 1 :] == PAD).all()
            assert (targets[end + 1 :] == PAD).all()


@given(tweets=tweet_lists(), batch_size=BATCH_SIZES, seed=SEEDS, num_seen=st.integers(0, 40))
def test_a_stream_from_a_saved_position_continues_identically(
    tweets: list[str], batch_size: int, seed: int, num_seen: int
) -> None:
    numbers, _ = encoded(tweets)
    stream = BatchStream(numbers, batch_size, seed, Position())
    for _ in islice(stream, num_seen):
        pass
    again = BatchStream(numbers, batch_size, seed, stream.position)
    assert again.epochs == stream.epochs
    assert as_lists(list(islice(again, 12))) == as_lists(list(islice(stream, 12)))
    assert again.position == stream.position


LETTERS = [chr(ord("a") + index) * (1 + index % 7) for index in range(26)]


def test_the_same_seed_gives_the_same_order_and_another_seed_or_epoch_another() -> None:
    numbers, _ = encoded(LETTERS)
    orders = [as_lists(epoch(numbers, 4, seed, number)) for seed, number in [(0, 0), (1, 0), (0, 1), (0, 2)]]
    assert as_lists(epoch(numbers, 4, 0, 0)) == orders[0]
    assert all(one != other for index, one in enumerate(orders) for other in orders[:index])


def test_a_position_after_the_last_batch_is_the_start_of_the_next_epoch() -> None:
    numbers, _ = encoded(LETTERS)
    stream = BatchStream(numbers, 4, 0, Position(epoch=2, batch=999))
    assert (stream.position, stream.epochs) == (Position(epoch=3), 3.0)
    assert as_lists([next(stream)]) == as_lists(epoch(numbers, 4, 0, 3))[:1]
    assert stream.position == Position(epoch=3, batch=1)


def test_less_than_seven_percent_of_tweets_of_usual_lengths_is_padding() -> None:
    lengths = np.clip(np.random.default_rng(0).normal(72, 34, size=20_000), 6, 140).astype(int)
    numbers, _ = encoded(["x" * int(length) for length in lengths])
    batches = epoch(numbers, 128, 0)
    num_cells = sum(batch.targets.size for batch in batches)
    assert 1 - sum(batch.num_targets for batch in batches) / num_cells < 0.07


# Encoded tweets -------------------------------------------------------------------------------------------------------


@given(tweets=tweet_lists())
def test_a_character_that_the_vocabulary_lacks_becomes_unk_and_is_counted(tweets: list[str]) -> None:
    chars = sorted(set("".join(tweets)))
    vocab = Vocab(chars[1:])
    numbers = encoded_with(vocab, tweets)
    assert numbers.num_unknown_chars == "".join(tweets).count(chars[0])
    assert int((numbers.batch(np.arange(len(tweets))).inputs == UNK).sum()) == numbers.num_unknown_chars


# Weights --------------------------------------------------------------------------------------------------------------


def test_a_weight_is_the_mean_number_of_repetitions_per_epoch() -> None:
    lengths = np.full(60, 5)
    weights = np.repeat([3.0, 0.5], 30)
    epochs = [np.concatenate(epoch_order(lengths, 7, seed=1, epoch=epoch, weights=weights)) for epoch in range(40)]
    counts = np.bincount(np.concatenate(epochs), minlength=60)
    assert set(counts[:30].tolist()) == {120}
    assert 0.4 < counts[30:].mean() / 40 < 0.6
    again = epoch_order(lengths, 7, seed=1, epoch=39, weights=weights)
    assert np.concatenate(again).tolist() == epochs[-1].tolist()


@given(tweets=tweet_lists(), batch_size=BATCH_SIZES, seed=SEEDS)
def test_the_measured_share_of_padding_is_that_of_an_epochs_batches(
    tweets: list[str], batch_size: int, seed: int
) -> None:
    numbers, _ = encoded(tweets)
    batches = epoch(numbers, batch_size, seed)
    num_cells = sum(batch.targets.size for batch in batches)

    in_order, shuffled = padding_shares(numbers.lengths, batch_size, seed)

    assert in_order == pytest.approx(1 - numbers.num_targets / num_cells)
    assert in_order >= 0
    assert 0 <= shuffled < 1
