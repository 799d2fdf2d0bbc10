"""What every reader gives: one `Row` per row of its file, in order. A row is its raw text, or why it has none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unusable:
    """A row that holds no tweet; it is counted under `reason`."""

    reason: str
    example: str = ""
    """The beginning of what was dropped, and where it stood; the report shows one for each reason."""


Row = str | Unusable
