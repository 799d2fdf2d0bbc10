"""Every tweet comes once per epoch, with little padding, and the stream resumes at any position."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus import batches as batches_module
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


# --- smaller batches at first ----------------------------------------------------------------------------------------


def small_first(tweets: EncodedTweets, position: Position) -> BatchStream:
    """Return batches of 8, the first ones of 3."""
    return BatchStream(tweets, 8, 1, position, first_batch_size=3)


@given(num_tweets=st.integers(0, 70))
def test_the_first_batches_are_the_same_tweets_in_smaller_batches(num_tweets: int) -> None:
    numbers, _ = encoded()
    whole = epoch_order(numbers.lengths, 8, 1, 0)
    with mock.patch.object(batches_module, "FIRST_TWEETS", num_tweets):
        stream = small_first(numbers, Position())
        rows = []
        while stream.epochs < 1:
            next(stream)
            rows.append(stream._last_rows.tolist())
    num_cut = -(-num_tweets // 8)
    expected = [
        part
        for number, batch in enumerate(whole)
        for part in ([batch[:3], batch[3:6], batch[6:]] if number < num_cut else [batch])
        if len(part)
    ]
    assert rows == [part.tolist() for part in expected]
    assert [next(stream).num_tweets for _ in range(3)] == [
        len(batch) for batch in epoch_order(numbers.lengths, 8, 1, 1)[:3]
    ]


def test_epochs_count_tweets_while_batches_are_small() -> None:
    numbers, _ = encoded(LETTERS[:24])
    stream = small_first(numbers, Position())
    found = []
    for _ in range(9):
        found.append(stream.epochs)
        next(stream)
    assert found == pytest.approx([(8 * whole + seen) / 24 for whole in range(3) for seen in (0, 3, 6)])
    assert (stream.epochs, stream.position) == (1.0, Position(epoch=1))
    assert small_first(numbers, Position()).upcoming_epochs(4) == found[:4]


@pytest.mark.parametrize("num_seen", [0, 1, 4, 8, 9, 10])
def test_a_stream_that_begins_small_resumes_at_any_position(num_seen: int) -> None:
    numbers, _ = encoded(LETTERS[:24])
    stream = small_first(numbers, Position())
    for _ in islice(stream, num_seen):
        pass
    again = small_first(numbers, stream.position)
    assert again.epochs == stream.epochs
    assert as_lists(islice(again, 12)) == as_lists(islice(stream, 12))


def test_a_share_of_an_epoch_is_rounded_to_whole_batches_also_where_they_are_cut() -> None:
    numbers, _ = encoded(LETTERS[:24])
    stream = small_first(numbers, Position())
    for share, batch in ((0.0, 0), (0.3, 3), (0.6, 6), (0.9, 9)):
        stream.seek(share)
        assert stream.position == (Position(batch=batch) if batch < 9 else Position(epoch=1))
