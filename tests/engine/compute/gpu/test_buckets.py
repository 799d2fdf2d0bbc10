"""Buckets: few shapes, little padding, unchanged gradients; each bucket is recorded once and replayed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.compute.gpu.buckets import bucket_length, padded_rows
from engine.compute.gpu.cuda_graphs import WARM_UP_VISITS, BucketedSteps, RecordingMemoryError
from engine.compute.gpu.resident_tweets import resident_tweets
from engine.compute.gpu.train_step import mean_loss
from engine.compute.memory import CudaAllocator, is_out_of_memory
from engine.corpus.encoded_tweets import CorpusBatch
from engine.model.vocab import PAD
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder
from tests.engine.helpers import encoded, model_with_table


def some_batch(num_tweets: int, seed: int = 0) -> CorpusBatch:
    """Return a batch of random tweets."""
    tweets, _ = encoded()
    indices = np.random.default_rng(seed).choice(len(tweets), num_tweets, replace=False)
    return tweets.batch(indices)


@given(length=st.integers(1, 100_000))
def test_a_bucket_is_at_least_as_long_as_its_tweets_and_hardly_longer(length: int) -> None:
    bucket = bucket_length(length)
    assert length <= bucket < max(length + 8, length * 9 / 8)
    assert bucket_length(bucket) == bucket


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("num_tweets", [1, 5, 8])
def test_padding_changes_neither_loss_nor_gradients(num_layers: int, num_tweets: int) -> None:
    batch = some_batch(num_tweets, seed=num_tweets)
    torch.manual_seed(1)
    model = model_with_table(5, 7, num_layers).double()
    parameters = list(model.parameters())

    logits, _ = model(torch.from_numpy(batch.inputs))
    expected = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten(), ignore_index=PAD)
    rows, length = torch.from_numpy(padded_rows(batch.rows, 8)), bucket_length(batch.num_columns)
    tokens = resident_tweets(batch.tweets, CPU).gather(rows, length)
    loss = mean_loss(model, tokens, torch.tensor(batch.num_targets))

    assert torch.allclose(loss, expected, rtol=1e-12)
    for grad, wanted in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        assert torch.allclose(grad, wanted, rtol=1e-10, atol=1e-14)


# recording and replaying ----------------------------------------------------------------------------------------------


CPU = torch.device("cpu")
Seen = list[tuple[int, list[int], int]]


def record_in(seen: Seen) -> Callable[[Tensor], None]:
    """Return a step that appends length, content and address of its input to `seen`."""
    return lambda tokens: seen.append((len(tokens), tokens.tolist(), tokens.data_ptr()))


def tokens_of(size: int, value: int) -> Tensor:
    return torch.full((size,), value, dtype=torch.int32)


def test_a_bucket_warms_up_then_is_recorded_once_then_replayed() -> None:
    recorder = FakeRecorder()
    seen: Seen = []
    steps = BucketedSteps(CPU, recorder)
    step = record_in(seen)
    for value in range(WARM_UP_VISITS + 3):
        steps.run(step, tokens_of(4, value))
    assert recorder.log == ["warm-up"] * WARM_UP_VISITS + ["record"] + ["replay"] * 3
    assert [content for _, content, _ in seen] == [[value] * 4 for value in range(WARM_UP_VISITS + 3)]


def test_every_step_of_a_bucket_has_its_input_at_the_same_address() -> None:
    seen: Seen = []
    steps = BucketedSteps(CPU, FakeRecorder())
    step = record_in(seen)
    for value in range(6):
        steps.run(step, tokens_of(4, value))
        steps.run(step, tokens_of(5, value))
    addresses = {size: {address for length, _, address in seen if length == size} for size in (4, 5)}
    assert all(len(each) == 1 for each in addresses.values())
    assert addresses[4] != addresses[5]


def test_the_least_recently_used_of_too_many_buckets_is_evicted() -> None:
    recorder = FakeRecorder()
    steps = BucketedSteps(CPU, recorder, max_buckets=2)
    step = record_in([])
    for size in (3, 4):
        for _ in range(3):
            steps.run(step, tokens_of(size, 0))
    steps.run(step, tokens_of(3, 0))
    recorder.log.clear()

    steps.run(step, tokens_of(5, 0))

    assert recorder.log == ["discard", "warm-up"]
    assert steps.num_recorded == 1
    steps.run(step, tokens_of(3, 0))
    assert recorder.log[-1] == "replay"
    steps.run(step, tokens_of(4, 0))
    assert recorder.log[-1] == "warm-up"


NOT_PERMITTED = RuntimeError("operation not permitted when stream is capturing")
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")


def test_after_a_failed_recording_all_steps_run_eagerly(
    allocator: CudaAllocator, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = FailingRecorder(NOT_PERMITTED, failing=range(2, 100))
    seen: Seen = []
    steps = BucketedSteps(CPU, recorder)
    step = record_in(seen)
    for value in range(5):
        steps.run(step, tokens_of(3, value))
        steps.run(step, tokens_of(4, value))
    assert recorder.log.count("record") == 2
    assert recorder.log.count("discard") == 1
    assert recorder.log[-5:] == ["warm-up"] * 5
    assert [(size, content[0]) for size, content, _ in seen] == [(size, n) for n in range(5) for size in (3, 4)]
    assert "CUDA graph" in caplog.text
    assert not allocator.is_sound


def test_after_a_failed_recording_no_other_trainer_of_the_process_records(allocator: CudaAllocator) -> None:
    failing, other = FailingRecorder(NOT_PERMITTED, failing={1}), FakeRecorder()
    for recorder in (failing, other):
        steps = BucketedSteps(CPU, recorder)
        for value in range(4):
            steps.run(record_in([]), tokens_of(3, value))
    assert failing.log.count("record") == 1
    assert other.log == ["warm-up"] * 4


def test_a_recording_that_runs_out_of_memory_is_tried_again(allocator: CudaAllocator) -> None:
    recorder = FailingRecorder(NO_MEMORY, failing={2})
    steps = BucketedSteps(CPU, recorder)
    for _ in range(3):
        steps.run(record_in([]), tokens_of(3, 0))
    for _ in range(WARM_UP_VISITS):
        steps.run(record_in([]), tokens_of(4, 0))
    with pytest.raises(RecordingMemoryError) as raised:
        steps.run(record_in([]), tokens_of(4, 0))
    assert is_out_of_memory(raised.value)
    assert steps.num_recorded == 0
    assert recorder.log.count("discard") == 1

    steps.run(record_in([]), tokens_of(4, 0))

    assert steps.num_recorded == 1
    assert allocator.is_sound
