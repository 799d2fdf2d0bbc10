"""CUDA graphs of a training step: each bucket's step runs eagerly a few times, is recorded once, then replayed.

The rules are torch's ("CUDA Graphs" in its CUDA semantics):

* **Warm-up on the side stream** that records: cuDNN, cuBLAS and the allocator initialize in the first runs, which can't
  be recorded. The warm-up runs are real steps, so nothing has to be undone. Recording executes nothing.
* **Fixed addresses.** The input is copied to the bucket's own tensor before each replay; weights, optimizer state and
  learning rate are updated in place; the output goes to a `LossBuffer`.
* **One memory pool.** Graphs may share a pool if none needs another's results and no two run at once: all results are
  outside the pool, and all replays are on one stream.
* **No waiting.** A step reads no value back. Python's garbage collector is disabled, since it could free an older
  graph during the recording. Other threads may use CUDA meanwhile, as that of NCCL and that of a checkpoint do: only
  what the recording thread does is forbidden.

A recording that runs out of memory is tried again once its caller has made room. After any other failure, steps run
eagerly for the rest of the process, with a warning in the log.

The host queues a step in a fraction of the time that the device needs for it; `Backlog` limits how far it runs ahead.
"""

from __future__ import annotations

import contextlib
import gc
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.memory import CUDA_ALLOCATOR, is_out_of_memory

_MODE = "thread_local"
"""Other threads may use CUDA during a capture."""
_END_ALLOCATION = ("_cuda_endAllocateToPool", "_cuda_endAllocateCurrentStreamToPool")
"""Names of one function of torch, the second before 2.8; there is no public one."""


class Recording(Protocol):
    """A recorded step; `torch.cuda.CUDAGraph` is one."""

    def replay(self) -> None:
        """Run the recorded kernels on the current stream."""

    def reset(self) -> None:
        """Free its memory; it must not be running."""


@cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of a device on which graphs are recorded; always the same one.

    cuBLAS allocates a workspace, 32 MiB on an H100, for each stream, and never frees it.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch leaves it untyped


class CudaRecorder:
    """Records CUDA graphs with one shared memory pool on the device's side stream."""

    def __init__(self, device: torch.device) -> None:
        """Record on this device."""
        self._device = device
        self._stream = side_stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._num_recorded = 0

    def run_on_side_stream(self, work: Callable[[], None]) -> None:
        """Run `work` on the recording stream, ordered after and before the work of the current stream."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            work()
        current.wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> Recording:
        """Record `work` without running it. Raises the `RuntimeError` of what can't be recorded.

        The outer `stream` restores the current stream even if `graph` fails to at its own end, and the error of `work`
        is raised in place of the one that the end of a failed capture then adds.
        """
        if self._num_recorded == 0:  # torch asserts that a pool that has been used is in use
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        failures: list[RuntimeError] = []
        try:
            with (
                _without_collection(),
                torch.cuda.stream(self._stream),
                self._capture(graph, self._pool),
            ):
                try:
                    work()
                except RuntimeError as error:
                    failures.append(error)
                    raise
        except RuntimeError as error:
            self._end_allocation()
            raise (failures or [error])[0] from None
        self._num_recorded += 1
        return graph

    def _capture(
        self, graph: torch.cuda.CUDAGraph, pool: torch.cuda._POOL_HANDLE
    ) -> contextlib.AbstractContextManager[None]:
        """Return the context of a capture; memory that torch has cached is freed for it."""
        return torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode=_MODE)

    def _end_allocation(self) -> None:
        """End the allocation from the pool that a failed capture began.

        `CUDAGraph.capture_end` (torch 2.13) skips this if CUDA has invalidated the capture: all later allocations on
        the stream would come from the pool, and `empty_cache` would raise.
        """
        index = self._stream.device_index
        with contextlib.suppress(RuntimeError):  # it has ended already: the capture itself was sound
            cuda = vars(torch._C)  # noqa: SLF001 - there is nothing public
            end = next(cuda[name] for name in _END_ALLOCATION if name in cuda)
            end(index, self._pool)
            cuda["_cuda_releasePool"](index, self._pool)

    def discard(self, recording: Recording) -> None:
        """Wait for the device, then free a recording."""
        torch.cuda.synchronize(self._device)
        recording.reset()
        self._num_recorded -= 1


class KeptPoolRecorder(CudaRecorder):
    """Records what allocates no memory and is freed without `discard`, as often as wanted, in a pool that stays.

    Torch has no use for a pool that was in use and is not any more, and forgets it only when its cache is emptied. So a
    first recording, which is never replayed, keeps the pool in use. A capture starts without waiting for the device.
    """

    def __init__(self, device: torch.device) -> None:
        """Record on this device."""
        super().__init__(device)
        self._first: tuple[Recording, Tensor] | None = None

    def record(self, work: Callable[[], None]) -> Recording:
        """Record `work` without running it. Raises the `RuntimeError` of what can't be recorded."""
        if self._first is None:
            number = torch.zeros(1, device=self._device)

            def write() -> None:
                number.zero_()

            self.run_on_side_stream(write)
            self._first = super().record(write), number
        return super().record(work)

    @contextlib.contextmanager
    def _capture(self, graph: torch.cuda.CUDAGraph, pool: torch.cuda._POOL_HANDLE) -> Iterator[None]:
        """Capture the block; `torch.cuda.graph` would empty torch's caches first."""
        graph.capture_begin(pool=pool, capture_error_mode=_MODE)
        try:
            yield
        finally:
            graph.capture_end()


@cache
def kept_pool_recorder(device: torch.device) -> KeptPoolRecorder:
    """Return the recorder of a device; always the same one."""
    return KeptPoolRecorder(device)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Disable Python's garbage collector during the block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


LOG = logging.getLogger(__name__)
WARM_UP_VISITS = 2
"""Eager runs of a bucket before it is recorded; so a rare shape costs no recording."""
MAX_BUCKETS = 32
"""Maximum number of graphs; the least recently used is evicted."""


class RecordingMemoryError(torch.OutOfMemoryError):
    """Memory ran out while a step was recorded: none of it has been executed, and all recordings are discarded."""


@dataclass
class _Bucket:
    """The steps of one key and input shape."""

    inputs: Tensor
    """Its input, always at the same address."""
    num_visits: int = 0
    recording: Recording | None = None


class BucketedSteps:
    """Runs a step on inputs of few shapes, recorded where possible. Not thread-safe."""

    def __init__(self, device: torch.device, recorder: CudaRecorder | None, max_buckets: int = MAX_BUCKETS) -> None:
        """Run steps on the device; without a `recorder`, always eagerly."""
        self._device = device
        self._recorder = recorder
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    @property
    def num_recorded(self) -> int:
        """Number of buckets that are replayed."""
        return sum(bucket.recording is not None for bucket in self._buckets.values())

    def run(self, step: Callable[[Tensor], None], inputs: Tensor, key: Hashable = None) -> None:
        """Run `step`, the same one in every call with this key, on a small input in host memory.

        Raises `RecordingMemoryError`.
        """
        bucket = self._bucket((key, *inputs.shape), inputs)
        bucket.inputs.copy_(inputs, non_blocking=True)
        bucket.num_visits += 1
        if self._recorder is None:
            step(bucket.inputs)
            return
        if bucket.recording is None and CUDA_ALLOCATOR.is_sound and bucket.num_visits > WARM_UP_VISITS:
            self._record(step, bucket, self._recorder)
        if bucket.recording is None:
            self._recorder.run_on_side_stream(lambda: step(bucket.inputs))
        else:
            bucket.recording.replay()

    def discard_all(self) -> None:
        """Discard all recordings, as the memory that they write to is replaced."""
        while self._buckets:
            self._evict_oldest()

    def _bucket(self, key: Hashable, inputs: Tensor) -> _Bucket:
        """Return the bucket of a key, now the most recently used; a new one may evict the least recently used."""
        if key not in self._buckets:
            if len(self._buckets) >= self._max_buckets:
                self._evict_oldest()
            self._buckets[key] = _Bucket(torch.empty_like(inputs, device=self._device))
        self._buckets.move_to_end(key)
        return self._buckets[key]

    def _evict_oldest(self) -> None:
        """Evict the least recently used bucket."""
        _, bucket = self._buckets.popitem(last=False)
        self._discard(bucket)

    def _discard(self, bucket: _Bucket) -> None:
        """Free a bucket's recording."""
        if self._recorder is not None and bucket.recording is not None:
            self._recorder.discard(bucket.recording)
        bucket.recording = None

    def _record(self, step: Callable[[Tensor], None], bucket: _Bucket, recorder: CudaRecorder) -> None:
        """Record a bucket's step; on failure, discard all recordings.

        Raises `RecordingMemoryError`. After another failure, nothing is recorded any more.
        """
        try:
            bucket.recording = recorder.record(lambda: step(bucket.inputs))
        except RuntimeError as error:
            for other in self._buckets.values():
                self._discard(other)
            if is_out_of_memory(error):
                raise RecordingMemoryError(str(error)) from None
            CUDA_ALLOCATOR.is_sound = False
            LOG.warning("the step can't be recorded as a CUDA graph; it runs eagerly", exc_info=True)


QUEUED_SECONDS = 0.02
MIN_STEPS = 2
_SMOOTHING = 0.1
"""Weight of the last step in the mean time of a step."""


class Event(Protocol):
    """A point in the device's work; `torch.cuda.Event` is one."""

    def record(self) -> None:
        """Put the event behind the work that is queued on the current stream."""

    def synchronize(self) -> None:
        """Wait until the device has reached the event."""

    def elapsed_time(self, end_event: Any) -> float:  # noqa: ANN401 - an event of the same class
        """Return the milliseconds between two events that the device has reached."""


def cuda_event() -> Event:
    """Return an event that has a time and that a thread can wait for without occupying a core."""
    return torch.cuda.Event(enable_timing=True, blocking=True)  # type: ignore[no-untyped-call] # torch leaves it untyped


class Backlog:
    """Limits how many steps are queued on a device, so that a key press need not wait for seconds of them.

    About `QUEUED_SECONDS` of work are queued, so that the device has something to do while the host does something
    else, but at least `MIN_STEPS`. Waiting blocks the thread; it does not occupy a core. Not thread-safe.
    """

    def __init__(self, make_event: Callable[[], Event] = cuda_event) -> None:
        self._make_event = make_event
        self._queued: deque[Event] = deque()
        self._last: Event | None = None
        """The end of the last step that the device is known to have completed."""
        self._step_seconds: float | None = None
        """Smoothed time between the ends of two steps."""

    @property
    def limit(self) -> int:
        """How many steps may be queued."""
        return MIN_STEPS if self._step_seconds is None else max(MIN_STEPS, int(QUEUED_SECONDS / self._step_seconds))

    def add_step(self) -> None:
        """Record that a step has been queued; wait until at most `limit` are left."""
        event = self._make_event()
        event.record()
        self._queued.append(event)
        while len(self._queued) > self.limit:
            first = self._queued.popleft()
            first.synchronize()
            if self._last is not None:
                self._measure(max(self._last.elapsed_time(first) / 1000, 1e-6))
            self._last = first

    def _measure(self, seconds: float) -> None:
        """Include the time of a step in the mean."""
        before = seconds if self._step_seconds is None else self._step_seconds
        self._step_seconds = before + _SMOOTHING * (seconds - before)
