"""Reads the load of processor, memory and NVIDIA GPUs as one frozen value. Never imports Textual.

psutil reads processor and memory; NVIDIA's library (nvidia-ml-py, an optional extra) the GPUs. What can't be read is
None or left out. Blocks for milliseconds per GPU: not for the screen's thread.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

_MAX_GAP_SECONDS = 10.0
"""After a longer gap, the load since the previous reading is too old to show."""
_Value = TypeVar("_Value")
ImportModule = Callable[[str], ModuleType]


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """One GPU; values that its driver does not report are None."""

    number: int
    name: str
    utilization: float | None
    """Share of the last sampling period during which a kernel ran, 0 to 1."""
    used_bytes: int | None
    total_bytes: int | None
    power_watts: float | None
    temperature_celsius: int | None


@dataclass(frozen=True, kw_only=True)
class MachineReading:
    """The load of the machine; values that can't be read are None."""

    process_cores: float | None
    """Cores used by this process since the previous reading; None in the first."""
    machine_cores: float | None
    """Cores used by all processes."""
    num_cores: int
    process_bytes: int | None
    used_bytes: int | None
    """Memory used by all processes."""
    total_bytes: int | None
    num_threads: int | None
    """Threads of this process."""
    gpus: tuple[GpuReading, ...]


class MachineReader:
    """Reads the load. For one thread at a time; the constructor blocks too."""

    def __init__(
        self,
        pid: int | None = None,
        import_module: ImportModule = importlib.import_module,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Measure the process `pid`, None for this one; open NVIDIA's library if it and a driver are installed.

        Values of a process that has ended are None.
        """
        import psutil  # costs start-up time

        self._psutil = psutil
        self._process = _or_none(lambda: psutil.Process(pid), psutil.Error)
        self._clock = clock
        self._read_at = -math.inf
        self._nvml = _opened_nvml(import_module)

    def read(self) -> MachineReading:
        """Read the current load."""
        psutil, errors = self._psutil, (self._psutil.Error, OSError)
        num_cores = psutil.cpu_count() or 1
        process = self._process
        process_percent = process and _or_none(process.cpu_percent, errors)
        machine_percent = _or_none(psutil.cpu_percent, errors)
        memory = _or_none(psutil.virtual_memory, errors)
        now = self._clock()
        is_first, self._read_at = now - self._read_at > _MAX_GAP_SECONDS, now
        return MachineReading(
            process_cores=None if is_first or process_percent is None else process_percent / 100,
            machine_cores=None if is_first or machine_percent is None else machine_percent / 100 * num_cores,
            num_cores=num_cores,
            process_bytes=process and _or_none(lambda: int(process.memory_info().rss), errors),
            used_bytes=None if memory is None else memory.total - memory.available,
            total_bytes=None if memory is None else memory.total,
            num_threads=process and _or_none(process.num_threads, errors),
            gpus=() if self._nvml is None else tuple(_gpus(self._nvml)),
        )


def _opened_nvml(import_module: ImportModule) -> ModuleType | None:
    """Return NVIDIA's library, initialized; None if it or a driver is missing."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _gpus(nvml: ModuleType) -> Iterator[GpuReading]:
    """Yield each GPU that responds."""
    for number in range(_or_none(nvml.nvmlDeviceGetCount, nvml.NVMLError) or 0):
        with contextlib.suppress(nvml.NVMLError):  # the GPU was lost
            yield _gpu(nvml, number)


def _gpu(nvml: ModuleType, number: int) -> GpuReading:
    """Return the values of a GPU. Raises `NVMLError` if it does not respond."""
    handle, error = nvml.nvmlDeviceGetHandleByIndex(number), nvml.NVMLError
    memory = _or_none(lambda: nvml.nvmlDeviceGetMemoryInfo(handle), error)
    return GpuReading(
        number=number,
        name=_or_none(lambda: str(nvml.nvmlDeviceGetName(handle)), error) or "",
        utilization=_or_none(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100, error),
        used_bytes=None if memory is None else int(memory.used),
        total_bytes=None if memory is None else int(memory.total),
        power_watts=_or_none(lambda: float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1000, error),
        temperature_celsius=_or_none(
            lambda: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)), error
        ),
    )


def _or_none(read: Callable[[], _Value], errors: type[Exception] | tuple[type[Exception], ...]) -> _Value | None:
    """Return the result of `read`, or None if it raises one of `errors`."""
    try:
        return read()
    except errors:
        return None
