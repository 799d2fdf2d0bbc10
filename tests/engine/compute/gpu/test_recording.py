"""Batches on a device, their recording and replay, its allocator and its backlog, with CUDA's part replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import cast
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute import cuda_graphs as g
from engine.compute.gpu_step import NO_TWEET, ResidentTweets, bucket_length, resident_tweets
from engine.compute.memory import CudaAllocator, free_memory
from engine.corpus.arrays import EncodedTweets
from engine.model.vocab import EOS, PAD, SPECIALS
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder
from tests.fakes import FakeClock

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
    with_empty = torch.from_numpy(np.pad(rows, (0, num_empty), constant_values=NO_TWEET))
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


# Recording and replaying ----------------------------------------------------------------------------------------------


class Visits:
    """Steps of buckets of any size; `seen` has size, content and address of the input of each."""

    def __init__(self, recorder: FakeRecorder) -> None:
        self.steps = g.GraphedSteps("steps", CPU, recorder)
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
    values = range(g.WARM_UP_VISITS + 3)
    visits.visit(4, *values)
    assert recorder.log == ["warm-up"] * g.WARM_UP_VISITS + ["record"] + ["replay"] * 3
    assert [value for _, value, _ in visits.seen] == list(values)
    visits.visit(5, *values)
    addresses = [{address for size, _, address in visits.seen if size == each} for each in (4, 5)]
    assert [len(each) for each in addresses] == [1, 1]
    assert addresses[0] != addresses[1]


@pytest.mark.parametrize("max_graphs", [5, g.MAX_GRAPHS])
def test_forty_lengths_in_any_order_are_recorded_at_most_once(monkeypatch: pytest.MonkeyPatch, max_graphs: int) -> None:
    monkeypatch.setattr(g, "MAX_GRAPHS", max_graphs)
    recorder = FakeRecorder()
    visits = Visits(recorder)
    for size in np.random.default_rng(0).integers(1, 40, 1000, endpoint=True).tolist():
        visits.visit(size, 0)
    assert recorder.log.count("record") == visits.steps.num_recorded == min(40, max_graphs)
    assert "discard" not in recorder.log
    assert len(visits.seen) == 1000


def test_after_a_failed_recording_this_work_runs_eagerly_and_other_work_is_recorded(
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
    assert visits.steps.failure == str(NOT_PERMITTED)
    reported = set[str]()
    message = f"The steps can't be recorded as CUDA graphs, so that they take longer: {NOT_PERMITTED}"
    assert [g.new_failures(reported), g.new_failures(reported), g.new_failures(set())] == [[message], [], [message]]
    Visits(other).visit(3, *range(4))
    assert g.new_failures(set()) == []
    assert other.log == ["warm-up"] * 2 + ["record"] + ["replay"] * 2
    allocator.is_sound = False
    spoiled = Visits(other)
    spoiled.visit(3, *range(4))
    assert other.log[-4:] == ["warm-up"] * 4
    assert "earlier failure" in spoiled.steps.failure
    assert g.new_failures(reported) == []


def test_a_recording_without_memory_is_repeated_and_then_its_shape_is_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    freed = mock.Mock()
    monkeypatch.setattr(g, "free_memory", freed)
    recorder = FailingRecorder(NO_MEMORY, failing={2, 4, 5})
    visits = Visits(recorder)
    for size in (3, 4, 5, 3, 4, 5):
        visits.visit(size, *range(4))
    assert recorder.log.count("record") == 5
    assert visits.steps.num_recorded == 2
    assert freed.call_count == 2
    assert "discard" not in recorder.log
    assert recorder.log[-4:] == ["warm-up"] * 4
    assert [value for _, value, _ in visits.seen] == [*range(4)] * 6
    assert visits.steps.failure == ""


# The recorder ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace CUDA's part of a recorder; return the calls of its allocator."""
    calls: list[str] = []
    handles, capture = count(), mock.MagicMock()
    # as CUDA's does at the end of a capture that it has invalidated
    capture.return_value.__exit__.side_effect = RuntimeError("operation failed due to a previous error during capture")
    monkeypatch.setattr(g, "side_stream", lambda _: SimpleNamespace(device_index=0))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, next(handles)))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", capture)
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        monkeypatch.setattr(torch._C, name, lambda *args, name=name: calls.append(f"{name}{args}"), raising=False)
    return calls


def test_a_failed_capture_ends_its_allocation_from_the_pool_and_raises_the_steps_error_and_the_allocator_is_tried(
    ended: list[str], allocator: CudaAllocator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the allocation has ended already."""
    with pytest.raises(RuntimeError, match="previous error"):
        g.CudaRecorder(CPU).record(lambda: None)
    assert ended == ["_cuda_endAllocateToPool(0, (0, 1))", "_cuda_releasePool(0, (0, 1))"]
    with pytest.raises(torch.OutOfMemoryError):
        g.CudaRecorder(CPU).record(mock.Mock(side_effect=NO_MEMORY))
    assert len(ended) == 4
    end = RuntimeError("endAllocatePool: not currently recording to mempool_id")
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", mock.Mock(side_effect=end))
    with pytest.raises(RuntimeError, match="previous error"):
        g.CudaRecorder(CPU).record(lambda: None)
    assert ended[-1].startswith("_cuda_releasePool")
    assert (len(ended), allocator.is_sound) == (5, True)
    broken = RuntimeError("captures_underway.empty() INTERNAL ASSERT FAILED")
    monkeypatch.setattr(torch.cuda, "empty_cache", mock.Mock(side_effect=broken))
    with pytest.raises(RuntimeError, match="previous error"):
        g.CudaRecorder(CPU).record(lambda: None)
    assert (len(ended), allocator.is_sound) == (6, False)


def test_a_device_has_one_side_stream_whether_its_name_has_a_number_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", mock.Mock(side_effect=lambda _: object()))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 91)
    assert g.side_stream(torch.device("cuda")) is g.side_stream(torch.device("cuda:91"))
    assert g.side_stream(torch.device("cuda:92")) is not g.side_stream(torch.device("cuda:91"))


def test_current_and_side_stream_wait_also_after_an_error(ended: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    current, side = mock.Mock(), mock.Mock()
    monkeypatch.setattr(g, "side_stream", lambda _: side)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: current)
    with pytest.raises(torch.OutOfMemoryError):
        g.CudaRecorder(CPU).run_on_side_stream(mock.Mock(side_effect=NO_MEMORY))
    side.wait_stream.assert_called_once_with(current)
    current.wait_stream.assert_called_once_with(side)


def test_graphs_share_a_pool_while_one_of_them_is_left(ended: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    capture = mock.Mock(side_effect=lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(reset=lambda: None))
    monkeypatch.setattr(torch.cuda, "graph", capture)
    recorder = g.CudaRecorder(CPU)
    first, second = recorder.record(lambda: None), recorder.record(lambda: None)
    recorder.discard(first)
    third = recorder.record(lambda: None)
    for recording in (second, third):
        recorder.discard(recording)
    recorder.record(lambda: None)
    pools = [call.kwargs["pool"] for call in capture.call_args_list]
    assert [pool == pools[0] for pool in pools] == [True, True, True, False]
    assert ended == []


def test_an_unsound_allocators_cache_is_not_emptied(allocator: CudaAllocator, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = mock.Mock()
    monkeypatch.setattr(torch.cuda, "empty_cache", empty)
    for is_sound in (True, False):
        allocator.is_sound = is_sound
        free_memory(torch.device("cuda"))
        assert empty.call_count == 1


# The backlog ----------------------------------------------------------------------------------------------------------


class FakeDevice:
    """Completes steps of a fixed time one after another, in the time of a fake clock."""

    def __init__(self, step_seconds: float) -> None:
        self.clock = FakeClock()
        self.backlog = g.Backlog(lambda: cast("torch.cuda.Event", FakeEvent(self)))
        self.step_seconds = step_seconds
        self.ends: list[float] = []
        self.idle_seconds = 0.0

    def queue_steps(self, count: int, host_seconds: float) -> list[int]:
        """Queue steps as fast as the host can; return how many are queued after each."""
        queued = []
        for _ in range(count):
            self.clock.advance(host_seconds)
            free_from = self.ends[-1] if self.ends else self.clock.now
            self.idle_seconds += max(0.0, self.clock.now - free_from)
            self.ends.append(max(free_from, self.clock.now) + self.step_seconds)
            self.backlog.add_step()
            queued.append(sum(end > self.clock.now for end in self.ends))
        return queued


@dataclass
class FakeEvent:
    """Is reached at the end of the last step that was queued when it was recorded."""

    device: FakeDevice
    end: float = 0.0

    def record(self) -> None:
        self.end = self.device.ends[-1]

    def synchronize(self) -> None:
        self.device.clock.advance(max(0.0, self.end - self.device.clock.now))

    def elapsed_time(self, end_event: FakeEvent) -> float:
        assert end_event.end <= self.device.clock.now, "the device has not reached the event"
        return 1000 * (end_event.end - self.end)


@pytest.mark.parametrize("step_seconds", [0.00035, 0.004, 0.08])
def test_the_queue_is_bounded_and_the_device_never_idle(step_seconds: float) -> None:
    device = FakeDevice(step_seconds)
    queued = device.queue_steps(500, host_seconds=0.0001)
    allowed = max(g.MIN_STEPS, g.QUEUED_SECONDS / step_seconds)
    assert max(queued) <= allowed
    assert queued[-1] >= 0.9 * allowed - 1
    assert device.idle_seconds == 0.0


def test_a_slow_host_never_waits_and_the_limit_follows_steps_that_become_longer() -> None:
    device = FakeDevice(0.001)
    device.queue_steps(100, host_seconds=0.005)
    assert device.clock.now == pytest.approx(0.5)
    device = FakeDevice(0.0005)
    device.queue_steps(200, host_seconds=0.0001)
    assert device.backlog.limit == 40
    device.step_seconds = 0.01
    assert device.queue_steps(200, host_seconds=0.0001)[-1] == device.backlog.limit == g.MIN_STEPS
