"""What the machine does, as one value: processor, memory, and each NVIDIA GPU. Knows no framework.

psutil reads the processor and memory, NVIDIA's own library (nvidia-ml-py, an optional extra) the GPUs. Whatever can't
be read is None or left out. A reading takes milliseconds where there are GPUs: it is not for the screen's thread.
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
"""After a longer one the cores' use since the reading before says nothing of now."""
_Figure = TypeVar("_Figure")
ImportModule = Callable[[str], ModuleType]


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """One GPU, as far as it tells."""

    number: int
    name: str
    use: float | None
    """Share of the last moment in which it computed, 0 to 1."""
    used_bytes: int | None
    total_bytes: int | None
    power_watts: float | None
    temperature_celsius: int | None


@dataclass(frozen=True, kw_only=True)
class MachineReading:
    """The machine, as far as it tells."""

    process_cores: float | None
    """Cores that this process has kept busy since the reading before; None in the first."""
    machine_cores: float | None
    """The same of all processes together."""
    num_cores: int
    process_bytes: int | None
    used_bytes: int | None
    """Of the machine's memory, by all processes."""
    total_bytes: int | None
    num_threads: int | None
    """Of this process."""
    gpus: tuple[GpuReading, ...]


class MachineReader:
    """Reads the machine. One thread at a time, whichever; making one takes its time too."""

    def __init__(
        self,
        import_module: ImportModule = importlib.import_module,
        clock: Callable[[], float] = time.monotonic,
        pid: int | None = None,
    ) -> None:
        """Look at the process `pid`, None for this one; open NVIDIA's library, where it and a driver are installed.

        Of a process that has ended, nothing is known.
        """
        import psutil  # not at the start of the program, which has better things to do

        self._psutil = psutil
        self._process = _figure(lambda: psutil.Process(pid), psutil.Error)
        self._clock = clock
        self._read_at = -math.inf
        self._nvml = _opened_nvml(import_module)

    @classmethod
    def of_process(cls, pid: int | None) -> MachineReader:
        """Return what reads the machine and a process on it; None is this one."""
        return cls(pid=pid)

    def read(self) -> MachineReading:
        """Return how it is now."""
        psutil, errors = self._psutil, (self._psutil.Error, OSError)
        num_cores = psutil.cpu_count() or 1
        process = self._process
        process_percent = process and _figure(process.cpu_percent, errors)
        machine_percent = _figure(psutil.cpu_percent, errors)
        memory = _figure(psutil.virtual_memory, errors)
        now = self._clock()
        is_first, self._read_at = now - self._read_at > _MAX_GAP_SECONDS, now
        return MachineReading(
            process_cores=None if is_first or process_percent is None else process_percent / 100,
            machine_cores=None if is_first or machine_percent is None else machine_percent / 100 * num_cores,
            num_cores=num_cores,
            process_bytes=process and _figure(lambda: int(process.memory_info().rss), errors),
            used_bytes=None if memory is None else memory.total - memory.available,
            total_bytes=None if memory is None else memory.total,
            num_threads=process and _figure(process.num_threads, errors),
            gpus=() if self._nvml is None else tuple(_gpus(self._nvml)),
        )


def _opened_nvml(import_module: ImportModule) -> ModuleType | None:
    """Return NVIDIA's library, ready for use, or None where it or a driver is missing."""
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
    """Yield each GPU that answers."""
    for number in range(_figure(nvml.nvmlDeviceGetCount, nvml.NVMLError) or 0):
        with contextlib.suppress(nvml.NVMLError):  # one that has just been lost
            yield _gpu(nvml, number)


def _gpu(nvml: ModuleType, number: int) -> GpuReading:
    """Return a GPU's figures, each where it has it. Raises `NVMLError` where it can't be reached."""
    handle, error = nvml.nvmlDeviceGetHandleByIndex(number), nvml.NVMLError
    memory = _figure(lambda: nvml.nvmlDeviceGetMemoryInfo(handle), error)
    return GpuReading(
        number=number,
        name=_figure(lambda: str(nvml.nvmlDeviceGetName(handle)), error) or "",
        use=_figure(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100, error),
        used_bytes=None if memory is None else int(memory.used),
        total_bytes=None if memory is None else int(memory.total),
        power_watts=_figure(lambda: float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1000, error),
        temperature_celsius=_figure(
            lambda: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)), error
        ),
    )


def _figure(read: Callable[[], _Figure], errors: type[Exception] | tuple[type[Exception], ...]) -> _Figure | None:
    """Return what `read` returns, or None where it fails: not every machine and GPU tells everything."""
    try:
        return read()
    except errors:
        return None
