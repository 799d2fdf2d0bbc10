"""The rows of the checkpoint list: groups, filter, sort order, and the text of each cell. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from engine.checkpoints.catalog import CheckpointEntry
from engine.text import sanitize_line
from tui.formatting.loss_units import LossUnit, format_bits
from tui.formatting.numbers import format_count, format_short, format_size

Order = Literal["name", "step", "loss", "size", "age"]
"""The columns of the table, in their order; each can be sorted by."""
ORDERS: tuple[Order, ...] = get_args(Order)
UNTRAINED = "untrained"
"""The word by which a filter finds the checkpoints that are otherwise hidden."""
_AGES = ((86_400 * 365.25, "y"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MIN_UNITS = 2
"""A unit is used from this many on: "90 min" is more precise than "1 h"."""


@dataclass(frozen=True)
class CheckpointGroup:
    """Checkpoints under a heading."""

    heading: str
    entries: tuple[CheckpointEntry, ...]
    run: str = ""
    """The run that saved all of them, whose name their rows omit; empty for several runs."""


def grouped(
    entries: Iterable[CheckpointEntry], run: str | None, order: Order, typed: str = ""
) -> list[CheckpointGroup]:
    """Return those saved by name, those of the current `run`, and those of other runs; no empty group.

    A group has the entries that contain every typed word in name, run or corpus, pinned ones first. Without a typed
    word, those of step 0 that a run saved by itself are left out. The highest step and the largest come first; by loss,
    the lowest, then those evaluated at an earlier step, then those never evaluated.
    """
    groups: dict[str, list[CheckpointEntry]] = {"named": [], "own": [], "other": []}
    words = typed.casefold().split()
    for entry in entries:
        if all(word in _searched_text(entry) for word in words) and (words or not is_untrained(entry)):
            groups["named" if entry.is_named else "own" if _run_of(entry) == run else "other"].append(entry)
    headings = {"named": "saved by name", "own": f"this run, {run}", "other": "other runs"}
    return [
        CheckpointGroup(
            headings[kind],
            tuple(
                sorted(found, key=lambda each: (not each.is_pinned, *_sort_key(each, order), _natural_key(each.name)))
            ),
            run or "" if kind == "own" else "",
        )
        for kind, found in groups.items()
        if found
    ]


def is_untrained(entry: CheckpointEntry) -> bool:
    """Return whether a run saved the entry at step 0, and the user did not pin it."""
    return entry.step == 0 and not entry.is_named and not entry.is_pinned


def _run_of(entry: CheckpointEntry) -> str:
    return entry.name.rpartition("/")[0]


def _searched_text(entry: CheckpointEntry) -> str:
    """Return the text that a filter searches."""
    texts = [entry.name, *([entry.info.run, entry.info.corpus_name] if entry.info else [])]
    return " ".join([*texts, *([UNTRAINED] if is_untrained(entry) else [])]).casefold()


def _sort_key(entry: CheckpointEntry, order: Order) -> tuple[float, ...]:
    """Return the sort key; ties are broken by name."""
    match order:
        case "age":
            return (-entry.saved_at,)
        case "size":
            return (-entry.num_bytes,)
        case "step":
            return (1.0 if entry.step is None else -entry.step,)
        case "loss":
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


def evaluated_at(entry: CheckpointEntry) -> str:
    """Return the step of the last evaluation, as " @2.5k", if that is before the step of the entry."""
    info = entry.info
    return f" @{format_short(info.progress.last_eval_step)}" if info is not None and info.is_evaluation_stale else ""


def cells_of(
    entry: CheckpointEntry, now: float, unit: LossUnit, *, run: str = "", at_width: int = 0
) -> tuple[str, str, str, str, str]:
    """Return name, step, validation loss in `unit`, size and age as text.

    The name is without that of its `run`; the loss ends with `evaluated_at` in at least `at_width` cells, so that the
    digits of a column are aligned.
    """
    loss = "–" if entry.bits_per_char is None else format_bits(entry.bits_per_char, unit)
    return (
        sanitize_line(entry.name.removeprefix(f"{run}/") if run else entry.name, 200),
        "damaged" if entry.problem else "–" if entry.step is None else format_count(entry.step),
        loss + evaluated_at(entry).ljust(at_width),
        format_size(entry.num_bytes),
        format_age(now - entry.saved_at),
    )
