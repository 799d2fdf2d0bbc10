"""The batches that a device cuts from its copy of a corpus are those that the host cuts, padded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.gpu.buckets import padded_rows
from engine.compute.gpu.resident_tweets import ResidentTweets, resident_tweets
from engine.corpus.encoded_tweets import EncodedTweets
from engine.errors import DeviceMemoryError
from engine.model.vocab import EOS, PAD, SPECIALS

CPU = torch.device("cpu")


def corpus_of(lengths: Iterable[int], id_type: type[np.integer] = np.uint8) -> EncodedTweets:
    """Return tweets of these lengths, of random characters."""
    offsets = np.concatenate(([0], np.cumsum(list(lengths)))).astype(np.int64)
    largest = np.iinfo(id_type).max
    generator = np.random.default_rng(int(offsets[-1]))
    return EncodedTweets(
        generator.integers(len(SPECIALS), largest, offsets[-1], endpoint=True).astype(id_type), offsets
    )


@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    chosen=st.data(),
    id_type=st.sampled_from([np.uint8, np.uint16]),
    more_columns=st.integers(0, 9),
    num_empty=st.integers(0, 3),
)
def test_a_gathered_batch_equals_the_padded_one_of_the_host(
    lengths: list[int], chosen: st.DataObject, id_type: type[np.integer], more_columns: int, num_empty: int
) -> None:
    tweets = corpus_of(lengths, id_type)
    rows = np.array(chosen.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8)))
    batch = tweets.batch(rows)
    with_empty = torch.from_numpy(padded_rows(rows, len(rows) + num_empty))

    found = ResidentTweets(tweets, CPU).gather(with_empty, batch.num_columns + more_columns).numpy()

    assert found.shape == (batch.num_columns + more_columns + 1, len(rows) + num_empty)
    inputs, targets = found[:-1, : len(rows)].T, found[1:, : len(rows)].T
    assert np.array_equal(targets[:, : batch.num_columns], batch.targets)
    assert np.array_equal(np.where(inputs == EOS, PAD, inputs)[:, : batch.num_columns], batch.inputs)
    assert (targets[:, batch.num_columns :] == PAD).all()
    assert (found[:, len(rows) :] == PAD).all()


def test_a_corpus_is_copied_to_a_device_once() -> None:
    tweets, other = corpus_of([3]), corpus_of([3])
    assert resident_tweets(tweets, CPU) is resident_tweets(tweets, CPU)
    assert resident_tweets(tweets, CPU) is not resident_tweets(other, CPU)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(torch.OutOfMemoryError("CUDA out of memory."), DeviceMemoryError), (RuntimeError("no kernel"), RuntimeError)],
)
def test_a_corpus_that_does_not_fit_the_device_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    def to(*_: Any) -> None:
        raise error

    monkeypatch.setattr(torch.Tensor, "to", to)
    with pytest.raises(expected, match="memory of cuda" if expected is DeviceMemoryError else "no kernel"):
        ResidentTweets(corpus_of([3, 4]), torch.device("cuda"))
