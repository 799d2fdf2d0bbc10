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
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.compute.gpu.recorder import CudaRecorder, Recording
from engine.memory import CUDA_ALLOCATOR, is_out_of_memory

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
