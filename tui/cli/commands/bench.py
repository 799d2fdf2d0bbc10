"""`tweetgen-tui bench`: speed of training and sampling, beside the tutorial's loop."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.run import RuntimeConfig
from tui.cli.options import DEVICE, GivenOptions, fields_of, with_options
from tui.cli.output.progress_display import show_progress
from tui.cli.output.tables import print_facts, print_json, print_table
from tui.text.numbers import format_count

if TYPE_CHECKING:  # it imports torch
    from engine.sampling.bench import BenchReport


@with_options(DEVICE)
def bench(
    given: GivenOptions,
    *,
    seconds: Annotated[
        float,
        typer.Option(metavar="X", min=1, help="Time to measure for; shapes for which none is left are not measured."),
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the speed of training and sampling beside the tutorial's loop.

    Models of three shapes run short turns on the same batches, on a CPU with one thread and with all cores. Figures are
    medians over the rounds, and the spread is their interquartile range.

    Examples:
    tweetgen-tui bench --seconds 120
    """
    from engine.compute.device import Runtime
    from engine.sampling.bench import Benchmark

    device = Runtime.resolve(RuntimeConfig(**fields_of(RuntimeConfig, given))).device
    sys.stderr.write(f"measuring on {device.type} for about {seconds:g} s\n")
    with show_progress() as on_progress:
        benchmark = Benchmark(device, seconds, on_progress)
        report = benchmark.run()
    if benchmark.skipped_shapes:
        shapes = ", ".join(str(tuple(shape)) for shape in benchmark.skipped_shapes)
        sys.stderr.write(f"not measured for lack of time (embedding, hidden, batch): {shapes}; increase --seconds\n")
    if as_json:
        print_json(report)
    else:
        _print_report(report)


def _print_report(report: BenchReport) -> None:
    """Print the machine, and a table of all figures."""
    print_facts((name.replace("_", " "), str(value)) for name, value in report.machine.items() if value)
    sys.stdout.write("\n")
    has_graphs = any(row.num_graphs is not None for row in report.train)
    rows = (
        (
            work,
            f"{row.embedding_size}, {row.hidden_size}",
            str(row.batch_size),
            row.path.replace("ours", "tweetgen-tui"),
            str(row.num_threads),
            format_count(round(row.chars_per_second)),
            f"{row.ratio_to_tutorial:.2f} x",
            f"{100 * row.spread:.0f} %",
            *(["" if row.num_graphs is None else str(row.num_graphs)] if has_graphs else []),
        )
        for work, figures in (("train", report.train), ("sample", report.sample))
        for row in figures
    )
    headings = ("", "embedding, hidden", "batch", "", "threads", "chars/s", "vs. tutorial", "spread")
    print_table((*headings, "CUDA graphs") if has_graphs else headings, rows)
