"""Devices and precisions: CUDA is not started for a run on the CPU, and a GPU that cuDNN rejects gets float32.

What a repeatable run on a GPU needs is set before CUDA starts, and only for that run.
"""

from __future__ import annotations

import os
from dataclasses import replace
from unittest import mock

import pytest
import torch

from engine.compute import memory
from engine.compute.device import Runtime, cpu_bfloat16_speedup
from engine.compute.gpu.bfloat16_copy import cudnn_supports_bfloat16
from engine.config.run import RuntimeConfig
from engine.errors import DeviceError
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


def test_a_gpu_that_cudnn_rejects_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    def version() -> int:
        raise RuntimeError("cuDNN version 91100 is not compatible with devices with SM < 7.5")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "version", version)
    assert not cudnn_supports_bfloat16()
    assert Runtime.resolve(RuntimeConfig(device="cuda")).precision == "float32"


@pytest.mark.parametrize(
    ("version", "cudnn", "capability", "expected"),
    [
        ("2.13.0+cu130", 91300, (8, 0), True),
        ("2.9.1", 91500, (9, 0), False),
        ("2.13.0", 91002, (9, 0), False),
        ("2.13.0", 91300, (7, 5), False),
    ],
)
def test_bfloat16_needs_a_recent_torch_cudnn_and_gpu(
    monkeypatch: pytest.MonkeyPatch, version: str, cudnn: int, capability: tuple[int, int], expected: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: cudnn)
    monkeypatch.setattr(torch, "__version__", version)
    assert cudnn_supports_bfloat16() is expected


@pytest.mark.parametrize(
    ("has", "speedup"),
    [({"avx512_f"}, 1.0), ({"avx512_bf16"}, 1.2), ({"bf16"}, 1.2), ({"avx512_bf16", "amx_tile", "amx_bf16"}, 2.2)],
)
def test_the_speedup_of_bfloat16_on_a_cpu_is_that_of_amx_only_where_it_has_amx(
    monkeypatch: pytest.MonkeyPatch, has: set[str], speedup: float
) -> None:
    capabilities = {name: name in has for name in ("avx512_f", "avx512_bf16", "bf16", "amx_tile", "amx_bf16")}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities | {"l2_cache_size": 1048576})
    assert cpu_bfloat16_speedup() == speedup


@pytest.mark.parametrize(
    ("before", "expected"), [(None, ":4096:8"), (":16:8", ":16:8"), (":0:0", ":4096:8"), ("", ":4096:8")]
)
def test_the_workspace_of_cublas_is_fixed_before_cuda_starts(
    monkeypatch: pytest.MonkeyPatch, before: str | None, expected: str
) -> None:
    found: list[str | None] = []

    def start() -> bool:
        found.append(os.environ.get("CUBLAS_WORKSPACE_CONFIG"))
        return True

    monkeypatch.setattr(torch.cuda, "is_available", start)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: None)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", before or "")
    if before is None:
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
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
