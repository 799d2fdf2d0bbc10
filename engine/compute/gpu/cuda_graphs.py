"""CUDA graphs of a step: a bucket is run as it is a few times, then recorded, then replayed in one call.

The rules are torch's (notes "CUDA Graphs" of its CUDA semantics):

* **Warm-up on a side stream**, the one that records: cuDNN, cuBLAS and the allocator set themselves up in the first
  runs, which a recording could not hold. Ours are real steps, so nothing has to be undone. A recording runs nothing.
* **Fixed addresses.** Whatever comes in lies in the bucket's own tensor, which is written before each replay; weights,
  optimizer state and learning rate are written in place; what goes out lies in `LossBuffer`.
* **One memory pool.** Graphs may share memory if none needs another's results and no two run at once: all they leave
  behind is outside the pool, and all replays are on one stream.
* **Nothing may wait, and nothing else may go on.** A step reads no value back. Batches are prepared in a thread that
  never touches CUDA, and Python's collector rests, since it could free an older graph in the middle.

What can't be recorded is run as it is, for the rest of the run, and the log says so.
"""

from __future__ import annotations

import contextlib
import gc
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

LOG = logging.getLogger(__name__)
WARM_UP_VISITS = 2
"""Times that a bucket is run as it is before it is recorded; so a rare one costs no recording."""
MAX_BUCKETS = 32
"""Graphs that are kept: the ones used last."""

Shape = tuple[int, ...]


class Recording(Protocol):
    """A recorded step; `torch.cuda.CUDAGraph` is one."""

    def replay(self) -> None:
        """Do what was recorded, on the current stream."""

    def reset(self) -> None:
        """Give its memory back, once it is not running."""


class CudaRecorder:
    """Records CUDA graphs that share one memory pool, all on one side stream."""

    def __init__(self, device: torch.device) -> None:
        """Record on this device."""
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch leaves it untyped
        self._pool = torch.cuda.graph_pool_handle()

    def run_on_side_stream(self, work: Callable[[], None]) -> None:
        """Do the work on the stream that records; the current stream goes on after it."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            work()
        current.wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> Recording:
        """Record the work without doing it. Raises `RuntimeError` where it can't be recorded.

        The outer `stream` puts the current stream back even where `graph` fails to, on an error of its own end.
        """
        graph = torch.cuda.CUDAGraph()
        with (
            _without_collection(),
            torch.cuda.stream(self._stream),
            torch.cuda.graph(graph, pool=self._pool, stream=self._stream),
        ):
            work()
        return graph

    def discard(self, recording: Recording) -> None:
        """Give the memory of a recording back, once the device is not running it any more."""
        torch.cuda.synchronize(self._device)
        recording.reset()


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Let Python's collector rest."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass
class _Bucket:
    """One shape of input."""

    tokens: Tensor
    """Where its input is written to, always the same memory."""
    num_visits: int = 0
    recording: Recording | None = None


class BucketedSteps:
    """Runs a step on inputs of few shapes. One thread at a time."""

    def __init__(self, device: torch.device, recorder: CudaRecorder | None, max_buckets: int = MAX_BUCKETS) -> None:
        """Run steps on the device; without a `recorder` always as they are."""
        self._device = device
        self._recorder = recorder
        self._max_buckets = max_buckets
        self._may_record = True
        self._buckets: OrderedDict[Shape, _Bucket] = OrderedDict()

    @property
    def num_recorded(self) -> int:
        """Buckets that are replayed."""
        return sum(bucket.recording is not None for bucket in self._buckets.values())

    def run(self, step: Callable[[Tensor], None], tokens: Tensor) -> None:
        """Take a step, always the same one, from input in the host's memory. Waits for nothing where that is pinned."""
        bucket = self._bucket(tuple(tokens.shape), tokens.dtype)
        bucket.tokens.copy_(tokens, non_blocking=True)
        bucket.num_visits += 1
        if self._recorder is None:
            step(bucket.tokens)
            return
        if bucket.recording is None and self._may_record and bucket.num_visits > WARM_UP_VISITS:
            self._record(step, bucket, self._recorder)
        if bucket.recording is None:
            self._recorder.run_on_side_stream(lambda: step(bucket.tokens))
        else:
            bucket.recording.replay()

    def forget(self) -> None:
        """Drop all recordings: memory that they write to is in use no more."""
        while self._buckets:
            self._drop_oldest()

    def _bucket(self, shape: Shape, dtype: torch.dtype) -> _Bucket:
        """Return the bucket of a shape, as the one used last; the one not used for longest makes room."""
        if shape not in self._buckets:
            if len(self._buckets) >= self._max_buckets:
                self._drop_oldest()
            self._buckets[shape] = _Bucket(torch.empty(shape, dtype=dtype, device=self._device))
        self._buckets.move_to_end(shape)
        return self._buckets[shape]

    def _drop_oldest(self) -> None:
        """Give up the bucket that was not used for longest."""
        _, bucket = self._buckets.popitem(last=False)
        self._discard(bucket)

    def _discard(self, bucket: _Bucket) -> None:
        """Give up a bucket's recording."""
        if self._recorder is not None and bucket.recording is not None:
            self._recorder.discard(bucket.recording)
        bucket.recording = None

    def _record(self, step: Callable[[Tensor], None], bucket: _Bucket, recorder: CudaRecorder) -> None:
        """Record a bucket's step; where that fails, record nothing any more."""
        try:
            bucket.recording = recorder.record(lambda: step(bucket.tokens))
        except RuntimeError:
            LOG.warning("the step can't be recorded as a CUDA graph; it is run as it is", exc_info=True)
            self._may_record = False
            for other in self._buckets.values():
                self._discard(other)
