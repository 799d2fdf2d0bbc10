"""Refused drafts as text. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from engine.protocol.events import RefusalReason
from tui.formatting.numbers import format_count

_ONE: dict[RefusalReason, str] = {
    "copy": "copy",
    "near-copy": "near-copy",
    "avoided word": "with avoided words",
    "required text missing": "without the required text",
    "too short": "too short",
    "unfinished": "unfinished",
}
_SEVERAL: dict[RefusalReason, str] = {**_ONE, "copy": "copies", "near-copy": "near-copies"}


def format_refused(refused: Iterable[tuple[RefusalReason, int]]) -> str:
    """Return counts of drafts by reason, in the order of the reasons: "20 copies, 13 with avoided words"."""
    counts = dict(refused)
    labels = (
        (counts[reason], _ONE if counts[reason] == 1 else _SEVERAL, reason) for reason in _ONE if reason in counts
    )
    return ", ".join(f"{format_count(count)} {words[reason]}" for count, words, reason in labels)
