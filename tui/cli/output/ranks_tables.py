"""The results of `doctor --distributed` as tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from engine.text import harmless
from tui.cli.output.tables import print_table
from tui.formatting.numbers import format_milliseconds, format_size

if TYPE_CHECKING:  # it imports torch
    from engine.bench.ranks.sums import RanksReport


def print_ranks(report: RanksReport) -> None:
    """Print the ranks and the speed of their sums, and which rank is slow."""
    num_machines = len({rank.host for rank in report.ranks})
    machines = f" on {num_machines} machines" if num_machines > 1 else ""
    sys.stdout.write(f"{report.world_size} ranks{machines}, {report.backend}\n\n")
    rows = (
        (
            str(rank.rank),
            rank.device,
            rank.host,
            format_milliseconds(rank.compute_seconds),
            f"{100 * rank.waiting_share:.0f} %",
        )
        for rank in report.ranks
    )
    print_table(("rank", "device", "host", "same work", "waits"), rows)
    sys.stdout.write("\n")
    sums = (
        (
            format_size(each.num_bytes),
            format_milliseconds(each.seconds),
            f"{format_size(round(each.algorithm_bandwidth))}/s",
            f"{format_size(round(each.bus_bandwidth))}/s",
        )
        for each in report.sums
    )
    print_table(("sum of", "time", "algorithm bandwidth", "bus bandwidth"), sums)
    sys.stdout.write(f"\n{_verdict(report)}\n")


def _verdict(report: RanksReport) -> str:
    """Return which ranks are slow, and by how much at most."""
    if not report.slow_ranks:
        return "No rank is slow: all take about as long for the same work."
    seconds = [rank.compute_seconds for rank in report.ranks]
    times = max(seconds) / min(seconds)
    names = ", ".join(f"{rank} on {harmless(report.ranks[rank].host)}" for rank in report.slow_ranks)
    noun = "Rank" if len(report.slow_ranks) == 1 else "Ranks"
    verb = "is" if len(report.slow_ranks) == 1 else "are"
    return f"{noun} {names} {verb} slow: up to {times:.2f} times as long for the same work; all others wait for it."
