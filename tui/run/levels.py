"""`Level`: the bits per character of a simple model of the same tweets, which the run's model has to beat. Pure.

Levels come from `BaselinesMeasured`: uniform, unigram, bigram and the best n-gram of a higher order. A level is crossed
at the first evaluation below it, and beaten while the latest one is (`RunView.is_beaten`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tui.run.marks import Mark

_NAMES = {"uniform": "uniform", "unigram": "unigram", "2-gram": "bigram"}
"""Shown names by the names of the event."""
_HIGHER_ORDER = re.compile(r"[3-9]-gram")
NUM_LEVELS = len(_NAMES) + 1
_MEANINGS = {
    "uniform": "all characters equally likely",
    "unigram": "character frequencies only",
    "bigram": "predicts from 1 character",
}


@dataclass(frozen=True, kw_only=True)
class Level:
    """A line across the plot."""

    name: str
    """"uniform", "unigram", "bigram", or of the best n-gram "6-gram"."""
    bits_per_char: float
    crossed_at: int | None = None
    """The step of the first evaluation below it; None before that."""

    @property
    def meaning(self) -> str:
        """What the simple model predicts from, in a few words."""
        return _MEANINGS.get(self.name) or f"predicts from {int(self.name[0]) - 1} characters"

    @property
    def crossing(self) -> str:
        """What it means to be below it, in a few words."""
        return f"better than the {self.name} model"

    @property
    def sentence(self) -> str:
        """That the model has crossed it."""
        return f"Now {self.crossing} ({self.meaning})."


def levels_from(
    names: Sequence[str], bits_per_char: Sequence[float], before: Sequence[Level] = ()
) -> tuple[Level, ...]:
    """Return the levels of measured baselines, in the order uniform, unigram, bigram, best n-gram.

    Those that are equal to one of `before` were crossed where that was.
    """
    bits = dict(zip(names, bits_per_char, strict=False))  # of equal length, but in an edited journal
    shown = {name: bits[event_name] for event_name, name in _NAMES.items() if event_name in bits}
    best = min((name for name in bits if _HIGHER_ORDER.fullmatch(name)), key=bits.__getitem__, default=None)
    shown |= {} if best is None else {best: bits[best]}
    crossed = {(level.name, level.bits_per_char): level.crossed_at for level in before}
    return tuple(
        Level(name=name, bits_per_char=its, crossed_at=crossed.get((name, its))) for name, its in shown.items()
    )


def has_all(levels: Sequence[Level]) -> bool:
    """Return whether the best n-gram is among the levels, not only those that are measured first."""
    return len(levels) == NUM_LEVELS


def newly_crossed(before: Sequence[Level], levels: Sequence[Level], from_step: int) -> Level | None:
    """Return the hardest of the levels that were crossed since `before`, at a step later than `from_step`, if any."""
    crossed_before = {level.name for level in before if level.crossed_at is not None}
    new = [level for level in levels if (level.crossed_at or 0) > from_step and level.name not in crossed_before]
    return new[-1] if new else None


def with_crossings(levels: tuple[Level, ...], evaluations: Iterable[tuple[int, float]]) -> tuple[Level, ...]:
    """Return the levels after evaluations, each a step and its bits per character, in order."""
    for step, bits in evaluations:
        if any(level.crossed_at is None and bits < level.bits_per_char for level in levels):
            levels = tuple(
                replace(level, crossed_at=step) if level.crossed_at is None and bits < level.bits_per_char else level
                for level in levels
            )
    return levels


def uncrossed_after(levels: tuple[Level, ...], step: int) -> tuple[Level, ...]:
    """Return the levels without the crossings after `step`, to which the run went back."""
    return tuple(
        replace(level, crossed_at=None) if level.crossed_at is not None and level.crossed_at > step else level
        for level in levels
    )


def level_marks(levels: Sequence[Level]) -> tuple[Mark, ...]:
    """Return a mark at each step at which levels were crossed, for the hardest of them."""
    hardest = {level.crossed_at: level for level in levels if level.crossed_at is not None}
    return tuple(Mark(step=step, kind="level", label=level.crossing) for step, level in hardest.items())
