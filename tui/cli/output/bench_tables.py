"""The results of `bench` as tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tui.cli.output.tables import print_facts, print_table
from tui.formatting.numbers import format_count, format_size

if TYPE_CHECKING:  # they import torch
    from engine.bench.benchmark import BenchReport, MachineInfo
    from engine.bench.first_words import FirstWordsReport

_LABELS = {
    "peak_bytes_before": "peak memory at start",
    "peak_bytes_reading": "peak memory after reading",
    "peak_bytes_training": "peak memory after training",
}
"""Display names of facts about the machine, by JSON name; others are shown under theirs."""


def print_bench(report: BenchReport) -> None:
    """Print the machine and a table per part; the spread is the interquartile range over the rounds."""
    _print_machine(report.machine)
    _print_training(report)
    sys.stdout.write("\n")
    _print_sampling(report)
    sys.stdout.write("\n")
    rows = ((row.path, _rate(row.tweets_per_second), _percent(row.spread)) for row in report.read)
    print_table(("reading", "tweets/s", "spread"), rows)


def print_first_words(report: FirstWordsReport) -> None:
    """Print the run, and the share of known words by moment."""
    threads = "1 thread" if report.num_threads == 1 else f"{report.num_threads} threads"
    layers = f" in {report.num_layers} layers" if report.num_layers > 1 else ""
    half, four_fifths = (
        "not reached" if seconds is None else _seconds(seconds)
        for seconds in (report.seconds_to_half, report.seconds_to_four_fifths)
    )
    facts = {
        "tweets": report.corpus,
        "model": f"hidden {report.hidden_size}{layers}, {report.precision}, {threads}",
        "first step": _seconds(report.first_step_seconds),
        "50 % of the words known": half,
        "80 % of the words known": four_fifths,
        "known in held-out tweets": _percent(report.real_share),
    }
    print_facts(facts.items())
    sys.stdout.write("\n")
    rows = (
        (
            _seconds(moment.seconds),
            format_count(moment.step),
            _percent(moment.known_word_share),
            f"{_percent(moment.least)} to {_percent(moment.most)}",
        )
        for moment in report.moments
    )
    print_table(("from the command", "step", "known words", f"{report.num_rounds} rounds"), rows)


def _print_machine(machine: MachineInfo) -> None:
    """Print what is known of the machine, and an empty line."""
    print_facts(
        (_LABELS.get(name, name.replace("_", " ")), _shown(name, value)) for name, value in machine.items() if value
    )
    sys.stdout.write("\n")


def _print_training(report: BenchReport) -> None:
    """Print characters per second of each training path."""
    rows = (
        (
            f"{row.embedding_size}, {row.hidden_size}, {row.batch_size}",
            _program(row.path),
            _rate(row.chars_per_second),
            _times(row.ratio_to_tutorial),
            _percent(row.share_of_limit),
            _percent(row.spread),
        )
        for row in report.train
    )
    headings = ("embedding, hidden, batch", "training", "chars/s", "vs. tutorial", "of float32 limit", "spread")
    print_table(headings, rows)


def _print_sampling(report: BenchReport) -> None:
    """Print characters per second of each sampling path."""
    rows = (
        (
            f"{row.embedding_size}, {row.hidden_size}",
            str(row.num_tweets),
            _program(row.path),
            _rate(row.chars_per_second),
            _times(row.ratio_to_tutorial),
            _percent(row.spread),
        )
        for row in report.sample
    )
    print_table(("embedding, hidden", "batch", "sampling", "chars/s", "vs. tutorial", "spread"), rows)


def _program(path: str) -> str:
    """Return the display name of an implementation."""
    from engine.bench.train_figures import OURS

    return f"tweetgen-tui{path.removeprefix(OURS)}" if path.startswith(OURS) else path


def _shown(name: str, value: str | float) -> str:
    """Return a fact about the machine with its unit."""
    return format_size(int(value)) if name.startswith("peak_bytes") else str(value)


def _rate(per_second: float) -> str:
    return format_count(round(per_second))


def _times(ratio: float) -> str:
    return f"{ratio:.2f} x"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
