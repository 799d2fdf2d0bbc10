"""A recorder, with CUDA's part replaced: what it does for torch's allocator after captures that fail and that end."""

from __future__ import annotations

import contextlib
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from engine.compute.gpu import recorder as recorder_module
from engine.compute.gpu.recorder import CudaRecorder, KeptPoolRecorder
from engine.compute.memory import CudaAllocator, free_memory

CPU = torch.device("cpu")
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")


class FakeGraph:
    """A `torch.cuda.graph` whose capture fails at its end, as one that CUDA has invalidated does."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        raise RuntimeError("operation failed due to a previous error during capture")


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace CUDA's part of a recorder; return the calls of its allocator."""
    calls: list[str] = []
    handles = count()
    monkeypatch.setattr(recorder_module, "side_stream", lambda _: SimpleNamespace(device_index=0))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, next(handles)))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", FakeGraph)
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        monkeypatch.setattr(torch._C, name, lambda *args, name=name: calls.append(f"{name}{args}"), raising=False)
    return calls


def test_a_failed_capture_ends_its_allocation_from_the_pool(ended: list[str]) -> None:
    with pytest.raises(RuntimeError, match="previous error"):
        CudaRecorder(CPU).record(lambda: None)
    assert ended == ["_cuda_endAllocateToPool(0, (0, 1))", "_cuda_releasePool(0, (0, 1))"]


def test_graphs_share_a_pool_while_one_of_them_is_left_and_then_use_another(
    ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[object] = []
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(reset=lambda: None))

    def capture(*_: object, pool: object, **__: object) -> contextlib.AbstractContextManager[None]:
        pools.append(pool)
        return contextlib.nullcontext()

    monkeypatch.setattr(torch.cuda, "graph", capture)
    recorder = CudaRecorder(CPU)
    first, second = recorder.record(lambda: None), recorder.record(lambda: None)
    recorder.discard(first)
    third = recorder.record(lambda: None)
    for recording in (second, third):
        recorder.discard(recording)
    recorder.record(lambda: None)
    assert [pool == pools[0] for pool in pools] == [True, True, True, False]
    assert ended == []


def test_recordings_that_are_freed_unseen_share_a_pool_that_stays_in_use(
    ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_use: set[int] = set()
    pools: list[object] = []

    class Graph:
        def __init__(self) -> None:
            in_use.add(id(self))

        def __del__(self) -> None:
            in_use.discard(id(self))

        def capture_begin(self, pool: object, **_: object) -> None:
            pools.append(pool)

        def capture_end(self) -> None:
            pass

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(CudaRecorder, "run_on_side_stream", lambda _, work: work())
    recorder = KeptPoolRecorder(CPU)
    for _ in range(3):
        recorder.record(lambda: None)
        assert len(in_use) == 1
    assert len(pools) == 4
    assert len(set(pools)) == 1
    assert ended == []


def test_the_error_of_the_step_is_raised_and_not_that_of_the_end_of_its_capture(ended: list[str]) -> None:
    def work() -> None:
        raise NO_MEMORY

    with pytest.raises(torch.OutOfMemoryError):
        CudaRecorder(CPU).record(work)
    assert len(ended) == 2


def test_an_allocation_that_has_ended_is_not_released_twice(monkeypatch: pytest.MonkeyPatch, ended: list[str]) -> None:
    def end(*_: object) -> None:
        raise RuntimeError("endAllocatePool: not currently recording to mempool_id")

    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", end)
    with pytest.raises(RuntimeError, match="previous error"):
        CudaRecorder(CPU).record(lambda: None)
    assert ended == []


def test_the_cache_of_an_allocator_that_is_not_sound_is_not_emptied(
    allocator: CudaAllocator, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("empty_cache"))
    free_memory(torch.device("cuda"))
    assert calls == ["empty_cache"]
    allocator.is_sound = False
    free_memory(torch.device("cuda"))
    assert calls == ["empty_cache"]
