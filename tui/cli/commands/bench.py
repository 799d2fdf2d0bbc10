"""`tweetgen-tui bench`: speed of training, sampling and reading, beside the tutorial's loop and `nn.GRU`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.run import RuntimeConfig
from engine.parallel.place import place_from_environment
from tui.cli.on_ranks import MeasuredProcesses, measure_on_ranks
from tui.cli.options import DEVICE, GivenOptions, fields_of, with_options
from tui.cli.output.bench_tables import print_bench, print_steps
from tui.cli.output.progress_display import show_progress
from tui.cli.output.tables import print_json

if TYPE_CHECKING:  # they import torch
    import torch

    from engine.bench.ranks.benchmark import StepsReport
    from engine.parallel.ranks import Ranks


@with_options(DEVICE)
def bench(
    given: GivenOptions,
    *,
    seconds: Annotated[
        float,
        typer.Option(metavar="X", min=1, help="Time to measure for; shapes that do not fit into it are left out."),
    ] = 60.0,
    nproc_per_node: MeasuredProcesses = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast this machine trains, samples and reads a corpus.

    Also measures the tutorial's loop and `nn.GRU`, in short turns on the same batches; figures are medians over the
    rounds. The float32 limit is the time of the bare matrix products of the same batches.

    With several processes, it measures how fast they train together, beside one with the same batches, and the parts of
    a step: compute, sum of the gradients, wait for the slowest, and host.

    Examples:
    tweetgen-tui bench --seconds 120
    tweetgen-tui bench --nproc-per-node auto
    """
    config = RuntimeConfig(**fields_of(RuntimeConfig, given))
    if nproc_per_node != 1 or place_from_environment() is not None:
        steps = measure_on_ranks(nproc_per_node, config.device, partial(_measure_steps, seconds))
        if as_json:
            print_json(steps)
        else:
            print_steps(steps)
        return

    from engine.bench.benchmark import Benchmark
    from engine.compute.device import Runtime

    device = Runtime.resolve(config).device
    sys.stderr.write(f"measuring on {device.type} for about {seconds:g} s\n")
    with show_progress() as on_progress:
        benchmark = Benchmark(device, seconds, on_progress)
        report = benchmark.run()
    _report_skipped(benchmark.skipped_shapes)
    if as_json:
        print_json(report)
    else:
        print_bench(report)


def _measure_steps(seconds: float, ranks: Ranks, device: torch.device) -> StepsReport | None:
    """Measure how all ranks train; return the leader's report."""
    from engine.bench.ranks.benchmark import RanksBenchmark
    from engine.compute.device import Runtime
    from engine.session.ranks.follower import threads_of_a_rank

    threads = threads_of_a_rank(ranks.place.local_world_size)
    config = RuntimeConfig(device="cuda" if device.type == "cuda" else "cpu", threads=threads)
    runtime = replace(Runtime.resolve(config), device=device)
    with show_progress() if ranks.place.is_leader else nullcontext(lambda _share, _doing: None) as on_progress:
        benchmark = RanksBenchmark(ranks, runtime, seconds, on_progress)
        report = benchmark.run()
    _report_skipped(benchmark.skipped_shapes)
    return report


def _report_skipped(shapes: Sequence[str]) -> None:
    """Name the shapes that were not measured."""
    if shapes:
        sys.stderr.write(
            f"not measured for lack of time (embedding, hidden, batch): {', '.join(shapes)}; increase --seconds\n"
        )
