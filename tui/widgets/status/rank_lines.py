"""The ranks of a run as lines of text: the device and the share of waiting of each. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from engine.text import sanitize_line
from tui.formatting.numbers import shortened
from tui.run.view import RunView
from tui.widgets.status.lines import Line, LineSegment
from tui.widgets.status.step_breakdown import PERCENT_CELLS, VALUE_CELLS, row, share_line

_NUMBER_CELLS, _ENTRY_CELLS, _GAP_CELLS = 2, 8, 3


@dataclass(frozen=True)
class _Rank:
    number: int
    waiting_share: float
    """Share of the time, 0 to 1."""
    device: str
    host: str

    @property
    def waiting_percent(self) -> int:
        return round(100 * self.waiting_share)


def rank_lines(view: RunView, width: int, height: int) -> list[Line]:
    """Return a heading and a line per rank; where they do not fit, several ranks per line, the slowest first.

    The slowest rank waits least. Without several ranks, or before they are measured, there are no lines.
    """
    ranks = _ranks_of(view)
    if not ranks or height < 2:
        return []
    if len(ranks) >= height:
        return _packed_lines(sorted(ranks, key=lambda rank: rank.waiting_share), width, height)
    has_hosts = len({rank.host for rank in ranks}) > 1
    heading = row("rank", ("device".rjust(VALUE_CELLS) + "waits".rjust(PERCENT_CELLS), "label"))
    return [
        heading,
        *(
            share_line(str(rank.number), rank.device, rank.waiting_percent, width, rank.host if has_hosts else "")
            for rank in ranks
        ),
    ]


def _ranks_of(view: RunView) -> list[_Rank]:
    if view.ranks is None:
        return []
    columns = zip(view.ranks.waiting_shares, view.ranks.devices, view.ranks.hosts, strict=False)
    return [
        _Rank(number, share, sanitize_line(device), sanitize_line(host))
        for number, (share, device, host) in enumerate(columns)
    ]


def _packed_lines(ranks: list[_Rank], width: int, height: int) -> list[Line]:
    """Return number and share of as many ranks as fit below a heading, side by side."""
    per_line = max((width + _GAP_CELLS) // (_ENTRY_CELLS + _GAP_CELLS), 1)
    shown = ranks[: per_line * (height - 1)]
    heading = "waits by rank" if len(shown) == len(ranks) else f"{len(shown)} of {len(ranks)} ranks"
    lines: list[Line] = [(LineSegment(shortened(f"{heading}, slowest first", width), "label"),)]
    for first in range(0, len(shown), per_line):
        line: Line = ()
        for rank in shown[first : first + per_line]:
            number = f"{rank.number}".rjust((_GAP_CELLS if line else 0) + _NUMBER_CELLS)
            percent = f"{rank.waiting_percent} %".rjust(_ENTRY_CELLS - _NUMBER_CELLS)
            line = (*line, LineSegment(number, "label"), LineSegment(percent, "value"))
        lines.append(line)
    return lines
