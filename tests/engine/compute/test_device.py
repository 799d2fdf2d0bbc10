"""Devices and precisions: what a GPU is tried for, and what a run on the CPU does not start."""

from __future__ import annotations

import os
from dataclasses import replace
from unittest import mock

import pytest
import torch

from engine.compute import memory
from engine.compute.device import Runtime, cpu_bfloat16_speedup
from engine.compute.gpu import probe
from engine.compute.gpu.bfloat16_copy import cudnn_supports_bfloat16
from engine.compute.gpu.probe import LENGTHS, supported_precision
from engine.config.run import RuntimeConfig
from engine.errors import DeviceError
from engine.model.gru import TextGenerator
from tests.engine.helpers import CPU


def test_a_run_on_the_cpu_does_not_start_cuda_and_deterministic_changes_none_of_its_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start() -> bool:
        raise AssertionError("CUDA is started")

    monkeypatch.setattr(torch.cuda, "is_available", start)
    monkeypatch.setattr(torch.backends.mps, "is_available", start)
    runtime = Runtime.resolve(RuntimeConfig(device="cpu", deterministic=True))
    assert (runtime.device, runtime.is_deterministic) == (torch.device("cpu"), False)
    with pytest.raises(AssertionError):
        Runtime.resolve(RuntimeConfig(device="auto"))


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no cuda device"):
        Runtime.resolve(RuntimeConfig(device="cuda"))


REJECTED = RuntimeError("cuDNN version 91100 is not compatible with devices with SM < 7.5")


@pytest.mark.parametrize(
    ("version", "cudnn", "capability", "expected"),
    [
        ("2.13.0+cu130", 91300, (8, 0), "bfloat16"),
        ("2.9.1", 91500, (9, 0), "float32"),
        ("2.13.0", 91002, (9, 0), "float32"),
        ("2.13.0", 91300, (7, 5), "float32"),
        ("2.13.0", REJECTED, (9, 0), "float32"),
    ],
)
def test_bfloat16_needs_a_recent_torch_cudnn_and_gpu(
    monkeypatch: pytest.MonkeyPatch, version: str, cudnn: object, capability: tuple[int, int], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.backends.cudnn, "version", mock.Mock(side_effect=[cudnn] * 9))
    monkeypatch.setattr(torch, "__version__", version)
    assert cudnn_supports_bfloat16() is (expected == "bfloat16")
    assert Runtime.resolve(RuntimeConfig(device="cuda")).precision == expected


def test_the_speedup_of_bfloat16_on_a_cpu_is_that_of_amx_only_where_it_has_amx() -> None:
    names = {"avx512_f", "avx512_bf16", "bf16", "amx_tile", "amx_bf16"}
    with_amx = {"avx512_bf16", "amx_tile", "amx_bf16"}
    for has, speedup in (({"avx512_f"}, 1.0), ({"avx512_bf16"}, 1.2), ({"bf16"}, 1.2), (with_amx, 2.2)):
        capabilities = {name: name in has for name in names} | {"l2_cache_size": 1048576}
        with mock.patch.object(torch.cpu, "get_capabilities", return_value=capabilities):
            assert cpu_bfloat16_speedup() == speedup


@pytest.mark.parametrize(
    ("before", "expected"), [(None, ":4096:8"), (":16:8", ":16:8"), (":0:0", ":4096:8"), ("", ":4096:8")]
)
def test_the_workspace_of_cublas_is_fixed_before_cuda_starts(
    monkeypatch: pytest.MonkeyPatch, before: str | None, expected: str
) -> None:
    found: list[str | None] = []
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", before or "")
    if before is None:
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")

    def start() -> bool:
        found.append(os.environ.get("CUBLAS_WORKSPACE_CONFIG"))
        return True

    monkeypatch.setattr(torch.cuda, "is_available", start)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: None)
    assert Runtime.resolve(RuntimeConfig(deterministic=True)).is_deterministic
    assert set(found) == {expected}


def test_deterministic_kernels_are_used_until_another_runtime_is_applied() -> None:
    modes = []
    for runtime in (replace(CPU, device=torch.device("cuda"), is_deterministic=True), CPU):
        runtime.apply()
        modes.append(torch.are_deterministic_algorithms_enabled())
    assert modes == [True, False]


@pytest.mark.parametrize("num_frozen", [0, 9])
def test_the_heap_is_frozen_during_a_run_unless_it_is_already(num_frozen: int) -> None:
    with mock.patch.object(memory, "gc") as heap:
        heap.get_freeze_count.return_value = num_frozen
        with memory.heap_frozen():
            assert heap.freeze.called == (num_frozen == 0)
            assert not heap.unfreeze.called
        assert heap.unfreeze.called == (num_frozen == 0)


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
    [
        (None, "bfloat16"),
        (RuntimeError("CUDNN_STATUS_NOT_SUPPORTED"), "float32"),
        (torch.OutOfMemoryError("CUDA out of memory."), "bfloat16"),
    ],
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
    monkeypatch.setattr(TextGenerator, "device", CPU.device)
    assert supported_precision(model, 5, "bfloat16") == "bfloat16"
    assert tried == []


def test_a_trial_changes_no_weight_and_draws_no_random_number(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = probe._compute_gradient

    def on_cpu(*args: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TextGenerator, "device", CPU.device)
            compute(*args)  # type: ignore[arg-type] # passed on as they are

    monkeypatch.setattr(probe, "_compute_gradient", on_cpu)
    state, weights = torch.get_rng_state(), [weight.clone() for weight in model.parameters()]
    assert supported_precision(model, 3, "bfloat16") == "bfloat16"
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), weights, strict=True))
    assert all(weight.grad is None for weight in model.parameters())
