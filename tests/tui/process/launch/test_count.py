from __future__ import annotations

from typing import Any

import pytest

from engine.compute import device
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import DeviceError
from tui.process.launch import count
from tui.process.launch.count import AUTO, Processes


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the machine a number of cores and GPUs."""

    def have(cores: int, gpus: int = 0) -> None:
        monkeypatch.setattr(device, "available_cores", lambda: cores)
        monkeypatch.setattr(count, "_num_gpus", lambda: gpus)

    return have


def chosen(wanted: int, **settings: Any) -> Processes:
    runtime = RuntimeConfig(**{name: settings.pop(name) for name in ("device", "threads") if name in settings})
    return Processes.choose(wanted, RunConfig(settings=settings, runtime=runtime))


def test_processes_on_the_cpu_share_the_cores(machine: Any) -> None:
    machine(cores=7)
    processes = chosen(3)
    assert (processes.count, processes.threads, processes.runtime.device) == (3, 2, "cpu")
    assert processes.runtime.threads == 2


@pytest.mark.parametrize(("wanted", "threads"), [(3, 0), (2, 2)])
def test_more_threads_than_cores_are_refused_with_the_number_that_fits(machine: Any, wanted: int, threads: int) -> None:
    machine(cores=2)
    with pytest.raises(DeviceError) as error:
        chosen(wanted, device="cpu", threads=threads)
    assert "2 CPU cores" in error.value.message
    assert "at most" in error.value.hint


def test_more_processes_than_gpus_are_refused(machine: Any) -> None:
    machine(cores=64, gpus=2)
    for name in ("cuda", "auto"):
        with pytest.raises(DeviceError) as error:
            chosen(3, device=name)
        assert "2 GPUs" in error.value.message
    assert chosen(3, device="cpu").count == 3
    machine(cores=64, gpus=0)
    with pytest.raises(DeviceError) as error:
        chosen(2, device="cuda")
    assert error.value.hint == "Set --device cpu, or leave --nproc-per-node out."
    machine(cores=64, gpus=2)
    assert chosen(2).runtime.device == "cuda"


@pytest.mark.parametrize(
    ("gpus", "batch_size", "expected", "why"),
    [
        (8, 512, 8, "all"),
        (8, 128, 2, "of 8 GPUs 2"),
        (8, 32, 1, "of 8 GPUs 1"),
        (1, 512, 1, "1 GPU"),
        (0, 512, 1, "no GPU"),
    ],
)
def test_auto_uses_the_gpus_that_have_enough_rows_each_and_gives_the_reason(
    machine: Any, gpus: int, batch_size: int, expected: int, why: str
) -> None:
    machine(cores=16, gpus=gpus)
    processes = chosen(AUTO, batch_size=batch_size)
    assert processes.count == expected
    assert why in processes.note


def test_auto_divides_the_batch_of_the_preset(machine: Any) -> None:
    machine(cores=16, gpus=8)
    assert chosen(AUTO).count == 2
    assert Processes.choose(AUTO, RunConfig(preset="tutorial")).count == 1
