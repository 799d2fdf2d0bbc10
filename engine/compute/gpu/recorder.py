"""`CudaRecorder`: records work on a side stream as a CUDA graph, and leaves torch's allocator in order where it can't.

The rules of what can be recorded are in `cuda_graphs`, which decides what is.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

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
