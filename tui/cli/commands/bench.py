"""`tweetgen-tui bench`: speed of training, sampling and reading, beside the tutorial's loop and `nn.GRU`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from engine.config.run import RuntimeConfig
from tui.cli.options import GivenOptions, OptionGroup, fields_of, with_options
from tui.cli.output.bench_tables import print_bench
from tui.cli.output.progress_display import show_progress
from tui.cli.output.tables import print_json

DEVICE = OptionGroup("Machine", RuntimeConfig, ("device",))


@with_options(DEVICE)
def bench(
    given: GivenOptions,
    *,
    seconds: Annotated[
        float,
        typer.Option(metavar="X", min=1, help="Time to measure for; shapes that do not fit into it are left out."),
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast this machine trains, samples and reads a corpus.

    Also measures the tutorial's loop and `nn.GRU`, in short turns on the same batches; figures are medians over the
    rounds. The float32 limit is the time of the bare matrix products of the same batches.

    Examples:
    tweetgen-tui bench --seconds 120
    """
    config = RuntimeConfig(**fields_of(RuntimeConfig, given))

    from engine.bench.benchmark import Benchmark
    from engine.compute.device import Runtime

    device = Runtime.resolve(config).device
    sys.stderr.write(f"measuring on {device.type} for about {seconds:g} s\n")
    with show_progress() as on_progress:
        benchmark = Benchmark(device, seconds, on_progress)
        report = benchmark.run()
    if benchmark.skipped_shapes:
        shapes = ", ".join(benchmark.skipped_shapes)
        sys.stderr.write(f"not measured for lack of time (embedding, hidden, batch): {shapes}; increase --seconds\n")
    if as_json:
        print_json(report)
    else:
        print_bench(report)
