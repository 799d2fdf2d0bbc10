"""CUDA graphs: work on inputs of few shapes runs eagerly a few times, is recorded once per shape, then replayed.

The rules are torch's ("CUDA Graphs" in its CUDA semantics):

* **Warm-up on the side stream** that records: cuDNN, cuBLAS and the allocator initialize in the first runs, which can't
  be recorded. They are real steps, so nothing has to be undone. Recording executes nothing.
* **Fixed addresses.** The input is copied to the bucket's own tensor before each replay; weights, optimizer state and
  learning rate are updated in place; the output goes to a `LossBuffer`.
* **One memory pool.** Graphs may share a pool if none needs another's results and no two run at once: all results are
  outside the pool, and all replays are on one stream.
* **No waiting.** A step reads no value back. Python's garbage collector is disabled, since it could free an older
  graph during the recording. Other threads may use CUDA meanwhile, as that of NCCL and that of a checkpoint do: only
  what the recording thread does is forbidden.

The host queues a step in a fraction of the time that the device needs for it; `Backlog` limits how far it runs ahead.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from engine.compute.memory import CUDA_ALLOCATOR, free_memory, is_out_of_memory, without_collection

LOG = logging.getLogger(__name__)
WARM_UP_VISITS = 2
"""Eager runs of a bucket before it is recorded; so a rare shape costs no recording."""
MAX_GRAPHS = 64
"""Inputs of further shapes are computed eagerly: tweets of up to 2,048 characters have 48 lengths (`bucket_length`)."""
_END_ALLOCATION = ("_cuda_endAllocateToPool", "_cuda_endAllocateCurrentStreamToPool")
"""Names of one function of torch, the second before 2.8; there is no public one."""
_FAILURES: dict[str, str] = {}
"""Why nothing is recorded any more, by kind of work: that of its latest `GraphedSteps`."""


def new_failures(reported: set[str]) -> list[str]:
    """Return a warning for each kind of work that can't be recorded and is not in `reported`, and add it there."""
    new = sorted(_FAILURES.keys() - reported)
    reported.update(new)
    return [f"The {what} can't be recorded as CUDA graphs, so that they take longer: {_FAILURES[what]}" for what in new]


@dataclass
class _Bucket:
    """The work on inputs of one key and shape."""

    inputs: Tensor
    """The input, always at the same address."""
    num_visits: int = 0
    recording: torch.cuda.CUDAGraph | None = None


class GraphedSteps:
    """Runs steps on inputs of few shapes, recorded where possible. Not thread-safe.

    A recording that runs out of memory is tried again with torch's cache empty; if that fails too, inputs of this shape
    are computed eagerly. After any other failure all are, and `new_failures` says why.
    """

    def __init__(self, what: str, device: torch.device, recorder: CudaRecorder | None) -> None:
        """Run steps on the device, which warnings call `what`; without a `recorder`, always eagerly."""
        _FAILURES.pop(what, None)
        self.failure = ""
        """Why nothing is recorded any more; empty while it is, and where memory does not suffice."""
        self._what = what
        self._device = device
        self._recorder = recorder
        self._buckets: dict[Hashable, _Bucket] = {}

    @property
    def num_recorded(self) -> int:
        """Number of buckets that are replayed."""
        return sum(bucket.recording is not None for bucket in self._buckets.values())

    def run(
        self,
        step: Callable[[Tensor], None],
        inputs: Tensor,
        key: Hashable = None,
        before_launch: Callable[[], None] = lambda: None,
    ) -> None:
        """Run `step`, the same one in every call with this key, on a small input in host memory.

        CUDA copies up to 64 KB of pageable memory without waiting for the device: the rows of 8,192 tweets. A recording
        runs the Python part of `step` and a replay does not, so what Python has to note about it can be corrected in
        `before_launch`, called after a recording and before each eager run or replay.
        """
        place = (key, *inputs.shape)
        if place not in self._buckets:
            self._buckets[place] = _Bucket(torch.empty_like(inputs, device=self._device))
        bucket = self._buckets[place]
        bucket.inputs.copy_(inputs, non_blocking=True)
        bucket.num_visits += 1
        work = partial(step, bucket.inputs)
        is_due = bucket.num_visits == WARM_UP_VISITS + 1  # tried once
        if self._recorder is not None and is_due and not self.failure and self.num_recorded < MAX_GRAPHS:
            self._record(work, bucket, self._recorder)
        before_launch()
        if bucket.recording is not None:
            bucket.recording.replay()
        elif self._recorder is not None:
            self._recorder.run_on_side_stream(work)
        else:
            work()

    def discard_all(self) -> None:
        """Discard all recordings, as the memory that they write to is replaced."""
        for bucket in self._buckets.values():
            if bucket.recording is not None and self._recorder is not None:
                self._recorder.discard(bucket.recording)
        self._buckets.clear()

    def _record(self, work: Callable[[], None], bucket: _Bucket, recorder: CudaRecorder) -> None:
        """Record a bucket's work, with torch's cache empty where memory does not suffice otherwise."""
        if not CUDA_ALLOCATOR.is_sound:
            self._fail("torch's CUDA allocator is not usable after an earlier failure")
            return
        for is_repeated in (False, True):
            if is_repeated:
                free_memory(self._device)
            try:
                bucket.recording = recorder.record(work)
                return
            except RuntimeError as error:
                LOG.warning("a CUDA graph can't be recorded", exc_info=True)
                if not is_out_of_memory(error):
                    self._fail(str(error).partition("\n")[0] or type(error).__name__)
                    self.discard_all()
                    return

    def _fail(self, failure: str) -> None:
        """Record nothing any more."""
        self.failure = _FAILURES[self._what] = failure


@cache
def _side_stream(index: int) -> torch.cuda.Stream:
    return torch.cuda.Stream(index)  # type: ignore[no-untyped-call] # torch leaves it untyped


def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of a device on which graphs are recorded; always the same one.

    cuBLAS allocates a workspace, 32 MiB on an H100, for each stream, and never frees it.
    """
    is_numbered = device.index is not None  # `cuda` alone has no index
    return _side_stream(device.index if is_numbered else torch.cuda.current_device())


class CudaRecorder:
    """Records CUDA graphs with one shared memory pool on the device's side stream."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = side_stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._num_recorded = 0

    def run_on_side_stream(self, work: Callable[[], None]) -> None:
        """Run `work` on the recording stream, ordered after and before the work of the current stream."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        try:
            with torch.cuda.stream(self._stream):
                work()
        finally:
            current.wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        """Record `work` without running it. Raises the `RuntimeError` of what can't be recorded.

        The outer `stream` restores the current stream even if `graph` fails to at its own end, and the error of `work`
        is raised in place of the one that the end of a failed capture then adds.
        """
        if self._num_recorded == 0:  # a pool whose graphs are all freed fails an assertion of torch
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        failures: list[RuntimeError] = []
        try:
            with (
                without_collection(),
                torch.cuda.stream(self._stream),
                torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
            ):
                try:
                    work()
                except RuntimeError as error:
                    failures.append(error)
                    raise
        except RuntimeError as error:
            self._undo_capture()
            raise (failures or [error])[0] from None
        self._num_recorded += 1
        return graph

    def _undo_capture(self) -> None:
        """End the allocation from the pool that a failed capture began, and see whether the allocator works.

        `CUDAGraph.capture_end` (torch 2.13) skips this if CUDA has invalidated the capture: all later allocations on
        the stream would come from the pool, and `empty_cache` would raise. Where it has ended the allocation already,
        torch raises, and the pool is still to be released.
        """
        index, cuda = self._stream.device_index, vars(torch._C)  # noqa: SLF001 - there is nothing public
        with contextlib.suppress(RuntimeError):
            end = next(cuda[name] for name in _END_ALLOCATION if name in cuda)
            end(index, self._pool)
        with contextlib.suppress(RuntimeError):
            cuda["_cuda_releasePool"](index, self._pool)
        try:
            torch.cuda.empty_cache()
        except RuntimeError:
            LOG.warning("torch's CUDA allocator is not usable after a failed recording", exc_info=True)
            CUDA_ALLOCATOR.is_sound = False

    def discard(self, recording: torch.cuda.CUDAGraph) -> None:
        """Wait for the device, then free a recording."""
        torch.cuda.synchronize(self._device)
        recording.reset()
        self._num_recorded -= 1


QUEUED_SECONDS = 0.02
MIN_STEPS = 2
_SMOOTHING = 0.1
"""Weight of the last step in the mean time of a step."""


_TIMED_EVENT = partial(torch.cuda.Event, enable_timing=True, blocking=True)
"""For a `blocking` event, a thread waits without occupying a core."""


class Backlog:
    """Limits how many steps are queued on a device, so that a key press need not wait for seconds of them.

    About `QUEUED_SECONDS` of work are queued, so that the device has something to do while the host does something
    else, but at least `MIN_STEPS`. Waiting blocks the thread; it does not occupy a core. Not thread-safe.
    """

    def __init__(self, make_event: Callable[[], torch.cuda.Event] = _TIMED_EVENT) -> None:
        self.limit = MIN_STEPS
        """How many steps may be queued."""
        self._make_event = make_event
        self._queued: deque[torch.cuda.Event] = deque()
        self._last: torch.cuda.Event | None = None
        """The end of the last step that the device is known to have completed."""
        self._step_seconds: float | None = None
        """Smoothed time between the ends of two steps."""

    def add_step(self) -> None:
        """Record that a step has been queued; wait until at most `limit` are left."""
        event = self._make_event()
        event.record()
        self._queued.append(event)
        while len(self._queued) > self.limit:
            first = self._queued.popleft()
            first.synchronize()
            if self._last is not None:
                seconds = max(self._last.elapsed_time(first) / 1000, 1e-6)
                before = seconds if self._step_seconds is None else self._step_seconds
                self._step_seconds = before + _SMOOTHING * (seconds - before)
                self.limit = max(MIN_STEPS, int(QUEUED_SECONDS / self._step_seconds))
            self._last = first
