"""What more GPUs would give, on paper: a step's time by rows per GPU, and that of the sum over stated links. Pure.

**Nothing here is measured on a GPU.** The times of a step are estimates for one H100, +-40 %: a fixed part, as the
characters of a tweet are computed one after another, and a part per row. The speeds of links are their makers'. The
time of a sum is the smaller one of

* a ring: 2 (n - 1) / n times the bytes over the slowest link, and a latency for each of its 2 (n - 1) hops (Patarasuk
  and Yuan, 2009, doi:10.1016/j.jpdc.2008.09.002);
* a double binary tree between machines, with a chain inside each (Sanders, Speck and Traeff, 2009,
  doi:10.1016/j.parco.2009.09.001): 2 times the bytes, and fewer hops.

So does NCCL choose; its model (`src/graph/tuning.cc`) has the same two forms, and the latencies here are its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

CHARS_PER_ROW = 100
HOST_SECONDS = 0.1e-3
"""Of a step, as `bench --nproc-per-node 2` measures it on a CPU. A GPU works meanwhile."""
_CALL_SECONDS = 8.4e-6
"""To start a sum, whatever its size: NCCL's base latency."""
ROWS = (16, 32, 64, 128, 256, 512)
"""Rows per GPU that are compared."""
PAYS = 1.25
"""Twice as many GPUs pay where they make a step of the same batch this many times as fast."""


@dataclass(frozen=True)
class Link:
    """A connection, in one direction."""

    name: str
    bytes_per_second: float
    hop_seconds: float
    """Latency of one hop."""


NVLINK = Link("NVLink 4", 450e9, 3.4e-6)
PCIE = Link("PCIe 4 x16", 25e9, 5.7e-6)
INFINIBAND = Link("InfiniBand NDR each", 8 * 50e9, 14e-6)
"""Of a machine with eight adapters of 400 Gb/s: NCCL runs a ring through each."""
ETHERNET = Link("100 Gb/s Ethernet", 12.5e9, 40e-6)
"""The hop is an estimate for TCP."""


@dataclass(frozen=True)
class Cluster:
    """GPUs, and what connects them."""

    num_machines: int
    gpus_per_machine: int
    inside: Link
    between: Link | None = None

    @property
    def num_gpus(self) -> int:
        """All of them."""
        return self.num_machines * self.gpus_per_machine

    @property
    def name(self) -> str:
        """How the table calls it."""
        if self.num_gpus == 1:
            return "1 GPU"
        if self.between is None:
            return f"{self.num_gpus} GPUs, {self.inside.name}"
        return f"{self.num_machines} x {self.gpus_per_machine} GPUs, {self.between.name}"

    @property
    def half(self) -> Cluster:
        """Half of the GPUs: of the machines, or of the only machine."""
        if self.num_machines > 1:
            return replace(self, num_machines=self.num_machines // 2)
        return replace(self, gpus_per_machine=self.gpus_per_machine // 2)

    def sum_seconds(self, num_bytes: int) -> float:
        """Return the time of a sum over all GPUs."""
        n, machines = self.num_gpus, self.num_machines
        if n == 1:
            return 0.0
        between = self.between or self.inside
        bandwidth = min(self.inside.bytes_per_second, between.bytes_per_second)
        outer = 2 * (machines - 1)
        ring = 2 * (n - 1) / n * num_bytes / bandwidth
        ring += outer * between.hop_seconds + (2 * (n - 1) - outer) * self.inside.hop_seconds
        tree = 2 * num_bytes / bandwidth + 2 * (self.gpus_per_machine - 1) * self.inside.hop_seconds
        tree += 2 * math.log2(machines) * between.hop_seconds
        return _CALL_SECONDS + (min(ring, tree) if machines > 1 else ring)


ONE_GPU = Cluster(1, 1, NVLINK)
CLUSTERS = (
    Cluster(1, 8, NVLINK),
    Cluster(1, 8, PCIE),
    Cluster(8, 8, NVLINK, INFINIBAND),
    Cluster(8, 8, NVLINK, ETHERNET),
)


@dataclass(frozen=True)
class ModelEstimate:
    """The step of a model on one H100, by estimate."""

    name: str
    num_parameters: int
    fixed_seconds: float
    row_seconds: float

    @property
    def num_bytes(self) -> int:
        """Of the gradient in float32."""
        return 4 * self.num_parameters

    def step_seconds(self, cluster: Cluster, rows: int) -> float:
        """Return the time of a step with that many rows per GPU."""
        return max(self.fixed_seconds + rows * self.row_seconds + cluster.sum_seconds(self.num_bytes), HOST_SECONDS)

    def chars_per_second(self, cluster: Cluster, rows: int) -> float:
        """Return the characters per second of all GPUs."""
        return cluster.num_gpus * rows * CHARS_PER_ROW / self.step_seconds(cluster, rows)

    def speedup(self, cluster: Cluster, rows: int) -> float:
        """Return how much faster a step is than on one GPU with the batch of all GPUs."""
        return self.step_seconds(ONE_GPU, cluster.num_gpus * rows) / self.step_seconds(cluster, rows)

    def gain_over_half(self, cluster: Cluster, rows: int) -> float:
        """Return how much faster a step is than on half of the GPUs with the same batch."""
        return self.step_seconds(cluster.half, 2 * rows) / self.step_seconds(cluster, rows)

    def least_rows(self, cluster: Cluster) -> int | None:
        """Return the fewest rows per GPU for which the last doubling of GPUs pays; None if it never does."""
        return next((rows for rows in ROWS if self.gain_over_half(cluster, rows) >= PAYS), None)


TUTORIAL = ModelEstimate("E 128, H 128", 130_000, 0.28e-3, 0.5e-6)
"""3,400 steps/s of 32 rows; the part per row is a guess."""
AUTO = ModelEstimate("E = H = 1024, tied", 6_500_000, 0.83e-3, 4.7e-6)
"""700 steps/s of 128 rows; a row is 6 x 3.15 million weights x 100 characters at 400 TFLOP/s, 40 % of the peak."""
LARGE = ModelEstimate("E = H = 2048, two layers, tied", 50_500_000, 4e-3, 57e-6)
"""By the same arithmetic: 400 products of 10 us one after another; a row is 6 x 38 million weights x 100 characters."""
MODELS = (TUTORIAL, AUTO, LARGE)


SHOWN_ROWS = (16, 64, 256)


def scaling_table() -> str:
    """Return the estimates in Markdown: a line per model and cluster, a column per number of rows per GPU."""
    heading = ("model", "GPUs", "sum", *(f"{rows} rows per GPU" for rows in SHOWN_ROWS), "pays from")
    lines = [heading, ("---",) * len(heading)]
    for model in MODELS:
        lines += [_line(model, cluster) for cluster in (ONE_GPU, *CLUSTERS)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _line(model: ModelEstimate, cluster: Cluster) -> tuple[str, ...]:
    """Return the cells of a line."""
    has_sum = cluster.num_gpus > 1
    pays = f"{model.least_rows(cluster) or f'over {ROWS[-1]}'} rows" if has_sum else ""
    own_sum = f"{1e3 * cluster.sum_seconds(model.num_bytes):.2f} ms" if has_sum else ""
    return model.name, cluster.name, own_sum, *(_cell(model, cluster, rows) for rows in SHOWN_ROWS), pays


def _cell(model: ModelEstimate, cluster: Cluster, rows: int) -> str:
    """Return the time of a step, the characters per second, and the speedup over one GPU with the same batch."""
    step, chars = model.step_seconds(cluster, rows), model.chars_per_second(cluster, rows)
    speedup = f", {model.speedup(cluster, rows):.1f} times" if cluster.num_gpus > 1 else ""
    millions = chars / 1e6
    return f"{1e3 * step:.2f} ms, {millions:,.{1 if millions < 10 else 0}f} M/s{speedup}"
