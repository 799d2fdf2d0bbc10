"""The rows of the checkpoint list: filter, sort order, and the text of each cell. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.metadata import CheckpointInfo
from engine.text import harmless
from tui.formatting.loss_units import format_bits
from tui.formatting.numbers import format_count, format_short, format_size

Order = Literal["age", "name", "step", "bits"]
ORDERS: tuple[Order, ...] = ("age", "name", "step", "bits")
_AGES = ((86_400 * 365.25, "y"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MIN_UNITS = 2
"""A unit is used from this many on: "90 min" is more precise than "1 h"."""


def arranged(entries: Iterable[CheckpointEntry], order: Order, typed: str = "") -> list[CheckpointEntry]:
    """Return the entries that contain every typed word in name, run or corpus, pinned ones first.

    By age, named checkpoints precede those of runs; by step, the highest comes first; by bits, the lowest, then those
    evaluated at an earlier step, then those never evaluated.
    """
    words = typed.casefold().split()
    fitting = [entry for entry in entries if all(word in _searched_text(entry) for word in words)]
    return sorted(fitting, key=lambda entry: (not entry.is_pinned, *_sort_key(entry, order), _natural_key(entry.name)))


def _searched_text(entry: CheckpointEntry) -> str:
    """Return the text that a filter searches."""
    return " ".join((entry.name, entry.info.run, entry.info.corpus_name) if entry.info else (entry.name,)).casefold()


def _sort_key(entry: CheckpointEntry, order: Order) -> tuple[float, ...]:
    """Return the sort key; ties are broken by name."""
    match order:
        case "age":
            return (not entry.is_named, -entry.saved_at)
        case "step":
            return (1.0 if entry.step is None else -entry.step,)
        case "bits":
            is_old = entry.info is not None and entry.info.is_evaluation_stale
            return (float("inf"),) if entry.bits_per_char is None else (float(is_old), entry.bits_per_char)
        case "name":
            return ()


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Return a key for natural sort order: step-9 before step-10."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


def format_age(seconds: float) -> str:
    """Return an age: "now", "20 s", "3 min", "5 h", "12 d", "3 y"."""
    for size, unit in _AGES:
        if seconds >= _MIN_UNITS * size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def _bits(info: CheckpointInfo | None) -> str:
    """Return the bits per character: "1.78", or "1.78 @2.5k" if evaluated at an earlier step."""
    if info is None or info.bits_per_char is None:
        return "–"
    return format_bits(info.bits_per_char) + (
        f" @{format_short(info.last_eval_step)}" if info.is_evaluation_stale else ""
    )


def cells_of(entry: CheckpointEntry, now: float) -> tuple[str, str, str, str, str]:
    """Return name, step, bits per character, size and age as text."""
    return (
        harmless(entry.name, 200),
        "damaged" if entry.problem else "–" if entry.step is None else format_count(entry.step),
        _bits(entry.info),
        format_size(entry.num_bytes),
        format_age(now - entry.saved_at),
    )
