"""Reads the load of processor, memory and NVIDIA GPUs as one frozen value. Never imports Textual.

psutil reads processor and memory; NVIDIA's library (nvidia-ml-py, an optional extra) the GPUs. What can't be read is
None or left out. Blocks for milliseconds per GPU: not for the screen's thread.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

_MAX_GAP_SECONDS = 10.0
"""After a longer gap, the load since the previous reading is too old to show."""
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class MeasuredRun:
    """Whose processor and memory are read."""

    pid: int | None = None
    """The id of the process that trains; None for this process."""
    has_ranks: bool = False
    """Whether several processes train together: all of them on this machine are read."""


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
    """Cores used by the processes that train since the previous reading; None in the first."""
    machine_cores: float | None
    """Cores used by all processes."""
    num_cores: int
    process_bytes: int | None
    """Resident memory of the processes that train; pages that they share count for each."""
    used_bytes: int | None
    """Memory used by all processes."""
    total_bytes: int | None
    num_threads: int | None
    """Threads of the processes that train."""
    num_processes: int = 1
    """The number of processes that train on this machine."""
    gpus: tuple[GpuReading, ...]


class MachineReader:
    """Reads the load. For one thread at a time; the constructor blocks too."""

    def __init__(
        self,
        run: MeasuredRun | None = None,
        import_module: Callable[[str], ModuleType] = importlib.import_module,
    ) -> None:
        """Measure the processes of a run, by default this one; open NVIDIA's library if it and a driver are installed.

        Values of processes that have ended are None.
        """
        import psutil  # costs start-up time

        run = run or MeasuredRun()
        self._psutil, self._errors = psutil, (psutil.Error, OSError)
        self._process: Any = _or_none(psutil.Error, lambda: psutil.Process(run.pid))
        self._has_ranks = run.has_ranks
        self._ranks: dict[Any, Any] = {}
        """The ranks of the last reading, each of which stores its CPU time then."""
        self._read_at = -math.inf
        self._nvml = _opened_nvml(import_module)

    def read(self) -> MachineReading:
        psutil, errors = self._psutil, self._errors
        num_cores = psutil.cpu_count() or 1
        found = [_or_none(errors, partial(_load_of, process)) for process in self._processes()]
        loads = [load for load in found if load is not None]
        machine_percent = _or_none(errors, psutil.cpu_percent)
        memory = _or_none(errors, psutil.virtual_memory)
        now = time.monotonic()
        is_first, self._read_at = now - self._read_at > _MAX_GAP_SECONDS, now
        cores, sizes, threads = ([load[i] for load in loads] for i in range(3))
        return MachineReading(
            process_cores=None if is_first or not loads else sum(cores),
            machine_cores=None if is_first or machine_percent is None else machine_percent / 100 * num_cores,
            num_cores=num_cores,
            process_bytes=int(sum(sizes)) if loads else None,
            used_bytes=None if memory is None else memory.total - memory.available,
            total_bytes=None if memory is None else memory.total,
            num_threads=int(sum(threads)) if loads else None,
            num_processes=len(loads),
            gpus=() if self._nvml is None else _gpus(self._nvml),
        )

    def _processes(self) -> list[Any]:
        """Return the process to measure, or the ranks: the children of its parent with the same rendezvous."""
        if self._process is None:
            return []

        def rendezvous_of(process: Any) -> tuple[str, str] | None:  # noqa: ANN401 - psutil's
            """Return the address at which a rank connects to the others, as torchrun sets it; None for no rank."""
            environment = _or_none(self._errors, process.environ) or {}
            return (environment.get("MASTER_ADDR", ""), port) if (port := environment.get("MASTER_PORT")) else None

        rendezvous = rendezvous_of(self._process) if self._has_ranks else None
        if rendezvous is None:  # also in a replay, where this process is none of the ranks
            return [self._process]
        parent = _or_none(self._errors, self._process.parent)
        siblings = (parent and _or_none(self._errors, parent.children)) or []
        self._ranks = {
            each: self._ranks.get(each, each)
            for each in siblings
            if each in self._ranks or rendezvous_of(each) == rendezvous
        }
        return list(self._ranks.values())


def _load_of(process: Any) -> tuple[float, int, int]:  # noqa: ANN401 - psutil's
    """Return cores used since the last call, bytes and threads of a process. Raises psutil's errors."""
    with process.oneshot():
        return process.cpu_percent() / 100, int(process.memory_info().rss), process.num_threads()


def _opened_nvml(import_module: Callable[[str], ModuleType]) -> ModuleType | None:
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


def _gpus(nvml: ModuleType) -> tuple[GpuReading, ...]:
    """Return the GPUs that respond: one may have been lost."""
    count = _or_none(nvml.NVMLError, nvml.nvmlDeviceGetCount) or 0
    handles = [_or_none(nvml.NVMLError, partial(nvml.nvmlDeviceGetHandleByIndex, number)) for number in range(count)]
    return tuple(_gpu(nvml, number, handle) for number, handle in enumerate(handles) if handle is not None)


def _gpu(nvml: ModuleType, number: int, handle: Any) -> GpuReading:  # noqa: ANN401 - NVIDIA's
    error = nvml.NVMLError
    memory = _or_none(error, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    return GpuReading(
        number=number,
        name=_or_none(error, lambda: str(nvml.nvmlDeviceGetName(handle))) or "",
        utilization=_or_none(error, lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100),
        used_bytes=None if memory is None else int(memory.used),
        total_bytes=None if memory is None else int(memory.total),
        power_watts=_or_none(error, lambda: float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1000),
        temperature_celsius=_or_none(
            error, lambda: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        ),
    )


def _or_none(errors: type[Exception] | tuple[type[Exception], ...], read: Callable[[], _Value]) -> _Value | None:
    """Return the result of `read`, or None if it raises one of `errors`."""
    try:
        return read()
    except errors:
        return None
