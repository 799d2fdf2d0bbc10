"""`check_ranks`: how fast sums over all ranks are, and which rank is slow. Called on every rank at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.device import wait_for
from engine.parallel.ranks import Ranks

SIZES = (8, 1_000_000, 26_000_000, 256_000_000)
"""Bytes of the sums: the smallest shows the latency; 26 MB are the gradients of the largest preset."""
MAX_CPU_BYTES = 26_000_000
"""Size above which a CPU measures no sum: gloo would take seconds for it."""
SECONDS_PER_SIZE = 0.3
_WARM_UP, _MIN_SUMS, _MAX_SUMS = 3, 3, 1000
ROUNDS = 20
"""Of a fixed amount of work on each rank, each followed by a barrier."""
_WORK_SECONDS = 0.02
_WORK_SIZE = 512
SLOW = 1.3
"""A rank is slow if it takes this many times as long as the fast ones, the lower quartile, for the same work."""


@dataclass(frozen=True, kw_only=True)
class SumFigures:
    """Speed of the sums of one size; the bandwidths are those of nccl-tests, doc/PERFORMANCE.md."""

    num_bytes: int
    seconds: float
    """Of one sum, the mean over ranks."""
    algorithm_bandwidth: float
    """Bytes of the tensor per second."""
    bus_bandwidth: float
    """The same times 2 (n - 1) / n: bytes that each of n ranks sends per second, as on the link of each."""


@dataclass(frozen=True, kw_only=True)
class RankFigures:
    """Speed of one rank."""

    rank: int
    device: str
    host: str
    compute_seconds: float
    """For an amount of work that is the same on all ranks; the median over the rounds."""
    waiting_share: float
    """Share of the rounds in which it waited for the others, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class RanksReport:
    """What all ranks have measured."""

    world_size: int
    backend: str
    sums: list[SumFigures]
    ranks: list[RankFigures]
    slow_ranks: list[int]
    """Those that take `SLOW` times as long as the fast ones, or longer."""


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """Where a rank runs: its reply to the leader."""

    device: str
    host: str


def check_ranks(ranks: Ranks, device: torch.device, on_part: Callable[[str], None]) -> RanksReport | None:
    """Measure all ranks; return the leader's report, and None on the others. `on_part` is called before each part.

    Raises `DistributedError` where a rank is lost.
    """
    on_part("the work of each rank")
    speeds = _rank_speeds(ranks, device)  # (n, 2)
    sums = []
    for num_bytes in SIZES:
        if device.type != "cpu" or num_bytes <= MAX_CPU_BYTES:
            on_part(f"sums of {num_bytes:,} bytes")
            sums.append(_sum_figures(num_bytes, _seconds_per_sum(ranks, device, num_bytes), ranks.place.world_size))
    machine = _Machine(device=_device_name(device), host=ranks.place.host)
    if not ranks.place.is_leader:
        ranks.reply(machine)
        return None
    machines = [machine, *ranks.replies(_Machine)]
    return report_of(ranks.backend, sums, speeds, [(each.device, each.host) for each in machines])


def report_of(
    backend: str, sums: list[SumFigures], speeds: npt.NDArray[np.float64], machines: list[tuple[str, str]]
) -> RanksReport:
    """Return the report: `speeds` (n, 2) has seconds of work and share of waiting, `machines` device and host."""
    fast = float(np.quantile(speeds[:, 0], 0.25, method="lower"))
    return RanksReport(
        world_size=len(machines),
        backend=backend,
        sums=sums,
        ranks=[
            RankFigures(
                rank=rank,
                device=device,
                host=host,
                compute_seconds=round(float(seconds), 6),
                waiting_share=round(float(share), 4),
            )
            for rank, ((device, host), (seconds, share)) in enumerate(zip(machines, speeds, strict=True))
        ],
        slow_ranks=[rank for rank, (seconds, _) in enumerate(speeds) if seconds >= SLOW * fast],
    )


def _sum_figures(num_bytes: int, seconds: float, world_size: int) -> SumFigures:
    bandwidth = num_bytes / seconds
    return SumFigures(
        num_bytes=num_bytes,
        seconds=round(seconds, 9),
        algorithm_bandwidth=round(bandwidth),
        bus_bandwidth=round(bandwidth * bus_factor(world_size)),
    )


def bus_factor(world_size: int) -> float:
    """Return how often the bytes of a tensor pass each rank's link in a sum over all ranks: 2 (n - 1) / n.

    Each of n ranks sends (n - 1) / n of them to be added, and as many of the result (Patarasuk and Yuan, 2009,
    doi:10.1016/j.jpdc.2008.09.002).
    """
    return 2 * (world_size - 1) / world_size


def _seconds_per_sum(ranks: Ranks, device: torch.device, num_bytes: int) -> float:
    """Return the mean time of a sum, over as many as fit into `SECONDS_PER_SIZE`."""
    tensor = torch.zeros(num_bytes // 4, device=device)

    def run(count: int) -> float:
        barrier(ranks, device)
        began = time.perf_counter()
        for _ in range(count):
            ranks.sum_(tensor)
        wait_for(device)
        return (time.perf_counter() - began) / count

    run(_WARM_UP)
    count = round(SECONDS_PER_SIZE / max(run(_WARM_UP), 1e-9))
    [count] = agreed(ranks, device, min(max(count, _MIN_SUMS), _MAX_SUMS))
    return float(gathered(ranks, device, run(count)).mean())


def _rank_speeds(ranks: Ranks, device: torch.device) -> npt.NDArray[np.float64]:
    """Return (n, 2): each rank's seconds for the same work, and its share of waiting for the others."""
    work = _Work(device)
    work.run(1)
    [count] = agreed(ranks, device, max(round(_WORK_SECONDS / work.run(3)), 1))
    barrier(ranks, device)  # the first sum connects the ranks
    working, waiting = np.zeros(ROUNDS), np.zeros(ROUNDS)
    for number in range(ROUNDS):
        working[number] = work.run(count) * count
        began = time.perf_counter()
        barrier(ranks, device)
        waiting[number] = time.perf_counter() - began
    share = waiting.sum() / (waiting.sum() + working.sum())
    return gathered(ranks, device, float(np.median(working)), float(share))


class _Work:
    """Products of square matrices."""

    def __init__(self, device: torch.device) -> None:
        size = _WORK_SIZE if device.type == "cpu" else 8 * _WORK_SIZE
        self._device = device
        self._factors = torch.full((2, size, size), 1 / size, device=device)
        self._product = torch.empty(size, size, device=device)

    def run(self, count: int) -> float:
        """Compute `count` products; return the seconds of one."""
        began = time.perf_counter()
        for _ in range(count):
            torch.mm(self._factors[0], self._factors[1], out=self._product)
        wait_for(self._device)
        return (time.perf_counter() - began) / count


def barrier(ranks: Ranks, device: torch.device) -> None:
    """Wait until all ranks are here, and this one's device has done its work: a sum of four bytes."""
    ranks.sum_(torch.zeros(1, device=device))
    wait_for(device)


def agreed(ranks: Ranks, device: torch.device, *numbers: int) -> list[int]:
    """Return the leader's numbers on all ranks; the others pass as many, of any value."""
    tensor = torch.tensor(numbers, device=device)
    ranks.broadcast_(tensor)
    return [int(number) for number in tensor.tolist()]


def gathered(ranks: Ranks, device: torch.device, *values: float) -> npt.NDArray[np.float64]:
    """Return the values of all ranks, (n, values)."""
    tensor = torch.zeros(ranks.place.world_size, len(values), dtype=torch.float64, device=device)
    tensor[ranks.place.rank] = torch.tensor(values, dtype=torch.float64)
    ranks.sum_(tensor)
    return tensor.cpu().numpy()


def _device_name(device: torch.device) -> str:
    return f"{device}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)
