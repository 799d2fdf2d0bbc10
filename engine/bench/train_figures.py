"""Figures of training: the speed of each variant beside the tutorial's and that of the bare matrix products."""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.interleaved import Rates, fastest, median_rate, median_ratio, spread

TUTORIAL, TIME_MAJOR, PACKED, OURS, LIMIT = "tutorial", "time-major nn.GRU", "packed nn.GRU", "ours", "matrix products"
WITHOUT_GRAPHS = f"{OURS}, without graphs"


@dataclass(frozen=True)
class Shape:
    """Sizes of model and batch."""

    embedding_size: int
    hidden_size: int
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class TrainFigures:
    """Speed of one variant."""

    embedding_size: int
    hidden_size: int
    batch_size: int
    path: str
    chars_per_second: float
    """Real targets only."""
    ratio_to_tutorial: float
    """Speedup over the tutorial's loop at its best number of threads."""
    share_of_limit: float
    """Speed as a share of that of the bare matrix products at their best number of threads; on a GPU, in the same
    precision."""
    spread: float
    """Interquartile range of the rounds, as a share of the median."""


def train_figures(shape: Shape, rates: Rates) -> list[TrainFigures]:
    """Compute the figures of each variant from its rates."""
    tutorial = fastest(rates, TUTORIAL)
    return [
        TrainFigures(
            embedding_size=shape.embedding_size,
            hidden_size=shape.hidden_size,
            batch_size=shape.batch_size,
            path=name,
            chars_per_second=round(median_rate(own), 1),
            ratio_to_tutorial=round(median_ratio(own, tutorial), 3),
            share_of_limit=round(median_ratio(own, fastest(_limits_of(name, rates), LIMIT)), 3),
            spread=round(spread(own), 3),
        )
        for name, own in rates.items()
    ]


def _limits_of(name: str, rates: Rates) -> Rates:
    """Return the rates of the matrix products in the precision of a variant, if there are any; else of all."""
    limits = {limit: own for limit, own in rates.items() if limit.partition(",")[0] == LIMIT}
    in_same = {limit: own for limit, own in limits.items() if ("bfloat16" in limit) == ("bfloat16" in name)}
    return in_same or limits
