"""Batches on a device: cut from its copy of a corpus, padded to few shapes, each recorded once and then replayed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.gpu.buckets import bucket_length, padded_rows
from engine.compute.gpu.cuda_graphs import WARM_UP_VISITS, BucketedSteps
from engine.compute.gpu.resident_tweets import ResidentTweets, resident_tweets
from engine.compute.memory import CudaAllocator
from engine.corpus.encoded_tweets import EncodedTweets
from engine.errors import DeviceMemoryError
from engine.model.vocab import EOS, PAD, SPECIALS
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder

CPU = torch.device("cpu")
NOT_PERMITTED = RuntimeError("operation not permitted when stream is capturing")
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")

# Batches --------------------------------------------------------------------------------------------------------------


@given(length=st.integers(1, 100_000))
def test_a_bucket_is_at_least_as_long_as_its_tweets_and_hardly_longer(length: int) -> None:
    bucket = bucket_length(length)
    assert length <= bucket < max(length + 8, length * 9 / 8)
    assert bucket_length(bucket) == bucket


def corpus_of(lengths: Iterable[int], id_type: type[np.integer] = np.uint8) -> EncodedTweets:
    """Return tweets of these lengths, of random characters."""
    offsets = np.concatenate(([0], np.cumsum(list(lengths)))).astype(np.int64)
    generator, largest = np.random.default_rng(int(offsets[-1])), np.iinfo(id_type).max
    token_ids = generator.integers(len(SPECIALS), largest, offsets[-1], endpoint=True)
    return EncodedTweets(token_ids.astype(id_type), offsets)


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
    [(NO_MEMORY, (DeviceMemoryError, "memory of cuda")), (RuntimeError("no kernel"), (RuntimeError, "no kernel"))],
    ids=["no memory", "another error"],
)
def test_a_corpus_that_does_not_fit_the_device_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: tuple[type[Exception], str]
) -> None:
    def to(*_: object) -> None:
        raise error

    monkeypatch.setattr(torch.Tensor, "to", to)
    with pytest.raises(expected[0], match=expected[1]):
        ResidentTweets(corpus_of([3, 4]), torch.device("cuda"))


# Recording and replaying ----------------------------------------------------------------------------------------------


class Visits:
    """Steps of buckets of any size; `seen` has size, content and address of the input of each."""

    def __init__(self, recorder: FakeRecorder, max_buckets: int = 9) -> None:
        self.steps = BucketedSteps(CPU, recorder, max_buckets=max_buckets)
        self.seen: list[tuple[int, int, int]] = []

    def visit(self, size: int, *values: int) -> None:
        """Run a step for each value, on a bucket of this size that is filled with it."""
        for value in values:
            self.steps.run(
                lambda tokens: self.seen.append((len(tokens), int(tokens[0]), tokens.data_ptr())),
                torch.full((size,), value, dtype=torch.int32),
            )


def test_a_bucket_warms_up_then_is_recorded_once_then_replayed_with_its_input_always_at_the_same_address() -> None:
    recorder = FakeRecorder()
    visits = Visits(recorder)
    values = range(WARM_UP_VISITS + 3)
    visits.visit(4, *values)
    assert recorder.log == ["warm-up"] * WARM_UP_VISITS + ["record"] + ["replay"] * 3
    assert [value for _, value, _ in visits.seen] == list(values)

    visits.visit(5, *values)

    addresses = [{address for size, _, address in visits.seen if size == each} for each in (4, 5)]
    assert [len(each) for each in addresses] == [1, 1]
    assert addresses[0] != addresses[1]


def test_the_least_recently_used_of_too_many_buckets_is_evicted() -> None:
    recorder = FakeRecorder()
    visits = Visits(recorder, max_buckets=2)
    for size in (3, 4):
        visits.visit(size, 0, 0, 0)
    visits.visit(3, 0)
    recorder.log.clear()

    visits.visit(5, 0)

    assert recorder.log == ["discard", "warm-up"]
    assert visits.steps.num_recorded == 1
    visits.visit(3, 0)
    visits.visit(4, 0)
    assert recorder.log[2:] == ["replay", "warm-up"]


def test_after_a_failed_recording_all_steps_run_eagerly_and_no_other_trainer_of_the_process_records(
    allocator: CudaAllocator, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, other = FailingRecorder(NOT_PERMITTED, failing=range(2, 100)), FakeRecorder()
    visits = Visits(recorder)
    for value in range(5):
        visits.visit(3, value)
        visits.visit(4, value)
    assert [recorder.log.count(call) for call in ("record", "discard")] == [2, 1]
    assert recorder.log[-5:] == ["warm-up"] * 5
    assert [(size, value) for size, value, _ in visits.seen] == [(size, n) for n in range(5) for size in (3, 4)]
    assert "CUDA graph" in caplog.text
    assert not allocator.is_sound

    Visits(other).visit(3, *range(4))

    assert other.log == ["warm-up"] * 4
