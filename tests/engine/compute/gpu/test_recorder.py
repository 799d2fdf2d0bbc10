"""CUDA's part replaced: what a recorder does for torch's allocator, and the trial of bfloat16 before a run."""

from __future__ import annotations

import contextlib
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from engine.compute.gpu import probe
from engine.compute.gpu import recorder as recorder_module
from engine.compute.gpu.probe import LENGTHS, supported_precision
from engine.compute.gpu.recorder import CudaRecorder, KeptPoolRecorder
from engine.compute.memory import CudaAllocator, free_memory
from engine.model.gru import TextGenerator

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


def test_a_failed_capture_ends_its_allocation_from_the_pool_unless_it_has_ended_and_the_steps_error_is_raised(
    ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_memory() -> None:
        raise NO_MEMORY

    def end(*_: object) -> None:
        raise RuntimeError("endAllocatePool: not currently recording to mempool_id")

    with pytest.raises(RuntimeError, match="previous error"):
        CudaRecorder(CPU).record(lambda: None)
    assert ended == ["_cuda_endAllocateToPool(0, (0, 1))", "_cuda_releasePool(0, (0, 1))"]
    with pytest.raises(torch.OutOfMemoryError):
        CudaRecorder(CPU).record(without_memory)
    assert len(ended) == 4
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", end)
    with pytest.raises(RuntimeError, match="previous error"):
        CudaRecorder(CPU).record(lambda: None)
    assert len(ended) == 4


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


def test_the_cache_of_an_allocator_that_is_not_sound_is_not_emptied(
    allocator: CudaAllocator, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("empty_cache"))
    for is_sound in (True, False):
        allocator.is_sound = is_sound
        free_memory(torch.device("cuda"))
        assert calls == ["empty_cache"]


# The trial of bfloat16 ------------------------------------------------------------------------------------------------


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> TextGenerator:
    """Return a model that seems to be on a GPU."""
    monkeypatch.setattr(probe, "free_memory", lambda _: None)
    model = TextGenerator(9, 4, 6, num_layers=2, dropout=0.5, ngram_contexts=5)
    monkeypatch.setattr(TextGenerator, "device", torch.device("mps"))
    return model


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, "bfloat16"), (RuntimeError("CUDNN_STATUS_NOT_SUPPORTED"), "float32"), (NO_MEMORY, "bfloat16")],
    ids=["supported", "not supported", "no memory"],
)
def test_a_device_that_fails_in_bfloat16_uses_float32_which_needs_no_trial_and_neither_does_a_cpu(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch, error: Exception | None, expected: str
) -> None:
    tried: list[tuple[int, int]] = []

    def compute(_: TextGenerator, batch_size: int, length: int) -> None:
        tried.append((batch_size, length))
        if error is not None:
            raise error

    monkeypatch.setattr(probe, "_compute_gradient", compute)
    assert supported_precision(model, 5, "float32") == "float32"
    assert tried == []
    assert supported_precision(model, 5, "bfloat16") == expected
    assert tried == [(5, length) for length in LENGTHS][: len(tried)] != []
    tried.clear()
    monkeypatch.setattr(TextGenerator, "device", CPU)
    assert supported_precision(model, 5, "bfloat16") == "bfloat16"
    assert tried == []


def test_a_trial_changes_no_weight_and_draws_no_random_number(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = probe._compute_gradient

    def on_cpu(*args: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TextGenerator, "device", CPU)
            compute(*args)  # type: ignore[arg-type] # passed on as they are

    monkeypatch.setattr(probe, "_compute_gradient", on_cpu)
    state, weights = torch.get_rng_state(), [weight.clone() for weight in model.parameters()]
    assert supported_precision(model, 3, "bfloat16") == "bfloat16"
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), weights, strict=True))
    assert all(weight.grad is None for weight in model.parameters())
