"""Lines of text in named tones, as the status and machine panels paint them. Pure data; never measures a screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Tone = Literal["label", "value", "strong", "good", "bad", "quiet"]
"""Component class of `LinePanel` that colours a segment."""

UNKNOWN = "–"
"""Stands in place of a value that is not measured yet."""


@dataclass(frozen=True)
class LineSegment:
    """Text in one tone."""

    text: str
    tone: Tone


Line = tuple[LineSegment, ...]


def plain(lines: Iterable[Line]) -> str:
    """Return lines as text, without their tones."""
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)
