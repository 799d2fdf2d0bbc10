"""View 2: the gates r and z and the candidate n along the text, as a heat map.

See `tui.xray` for the three functions of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from engine.protocol.events.insight import Bands, CharGates, TextTraced
from tui.xray.glyphs import Glyphs, percent
from tui.xray.heat_map import HeatMap
from tui.xray.layout import beside, fitted
from tui.xray.shades import Shades
from tui.xray.spans import Line, Picture, Span

HELP = (
    "A column is one character being read; a row is a band of hidden units, those with the lowest mean z first.",
    "The update gate z decides what is kept: at 1 a unit copies its state, at 0 it takes the candidate n.",
    "The reset gate r decides how much of the old state enters the candidate n, which lies between -1 and 1.",
    "Each unit's new state is z times its old state plus (1 - z) times n.",
    "Look for columns where z falls: a space, an @ or the end of a link often rewrites the state.",
)
GateName = Literal["update", "reset", "candidate"]
GATE_NAMES: tuple[GateName, ...] = get_args(GateName)
"""The most telling one first: it is shown where there is room for one."""
_LETTERS: dict[GateName, str] = {"update": "z", "reset": "r", "candidate": "n"}
_MEANINGS: dict[GateName, str] = {
    "update": "update gate z: 1 keeps the state, 0 replaces it",
    "reset": "reset gate r: 0 leaves the state out of the candidate",
    "candidate": "candidate n: what replaces the state",
}
_NUMBERS_WIDTH = 34
_WIDTH_WITH_NUMBERS_BESIDE = 100
_WIDTH_OF_LONG_NAMES = 64
_MIN_ROWS_WITH_HEADING = 4
_MIN_ROWS_OF_ALL = 9
"""From this many rows for the heat map, all three blocks are shown."""
_LIKE_AVERAGE = (0.8, 1.25)
_TWICE, _HALF = (1.75, 2.25), (0.4, 0.6)
_HARDLY_ANY = 0.1


@dataclass(frozen=True)
class _Figure:
    """A number of the cursor's column."""

    name: str
    short_name: str
    value: Callable[[CharGates], float]
    shown: Callable[[float], str] = "{:.2f}".format

    def text(self, gates: CharGates, *, is_short: bool) -> str:
        """Return the name and the number."""
        return f"{self.short_name if is_short else self.name} {self.shown(self.value(gates))}"


_FIGURES = (
    _Figure("mean z", "z", lambda gates: gates.update_mean),
    _Figure("mean r", "r", lambda gates: gates.reset_mean),
    _Figure("rewritten (z < 0.1)", "rewritten", lambda gates: gates.rewritten_share, percent),
    _Figure("copied (z > 0.9)", "copied", lambda gates: gates.copied_share, percent),
    _Figure("saturated r and z", "saturated", lambda gates: gates.saturated_share, percent),
    _Figure("state changed", "change", lambda gates: gates.hidden_change),
)


def render(
    event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs, gate: GateName | None = None
) -> Picture:
    """Return the heat map around the cursor with the numbers of its column beside or below it.

    Shows one gate, or all three if none is chosen and there is room, else the update gate.
    """
    if width >= _WIDTH_WITH_NUMBERS_BESIDE:
        map_width = width - _NUMBERS_WIDTH - 2
        heat_map = _heat_map(event, cursor, map_width, height, glyphs, gate)
        return fitted(beside(heat_map, _table(event, cursor, glyphs), map_width), width, height, glyphs)
    is_short = width < _WIDTH_OF_LONG_NAMES
    numbers = _flowed([figure.text(event.gates[cursor], is_short=is_short) for figure in _FIGURES], width)
    numbers = numbers[: max(height // 3, 0)]
    heat_map = _heat_map(event, cursor, width, height - len(numbers), glyphs, gate)
    return fitted((*heat_map, *numbers), width, height, glyphs)


def shades(event: TextTraced, cursor: int) -> Shades:  # noqa: ARG001 - all views have the same arguments
    """Return how much each input changed the hidden state."""
    changes = [gates.hidden_change for gates in event.gates]
    lowest, highest = min(changes), max(changes)
    values = ((change - lowest) / (highest - lowest or 1.0) for change in changes)
    return Shades((*values, None), "change of the state", f"{lowest:.2f}", f"{highest:.2f}")


def sentence(event: TextTraced, cursor: int, glyphs: Glyphs) -> str:
    """Return how many units the input at the cursor rewrote or left as they were, beside the average of the text."""
    gates = event.gates[cursor]
    reading = f"Reading {_name(event, cursor, glyphs)}"
    if rewritten := gates.rewritten_share:
        compared = _compared(rewritten, _average(event, lambda gates: gates.rewritten_share))
        return f"{reading} rewrote {percent(rewritten)} of the units (z < 0.1), {compared}"
    if copied := gates.copied_share:
        compared = _compared(copied, _average(event, lambda gates: gates.copied_share))
        return f"{reading} rewrote no unit and copied {percent(copied)} (z > 0.9), {compared}"
    average = _average(event, lambda gates: gates.update_mean)
    return f"{reading} mixed old and new in every unit: mean z {gates.update_mean:.2f}, {average:.2f} on average"


def _name(event: TextTraced, cursor: int, glyphs: Glyphs) -> str:
    return glyphs.name(event.text[cursor - 1]) if cursor else "<BOS>"


def _average(event: TextTraced, value: Callable[[CharGates], float]) -> float:
    return sum(map(value, event.gates)) / len(event.gates)


def _compared(value: float, average: float) -> str:
    """Return a value above 0 beside its average."""
    ratio = value / average
    if _LIKE_AVERAGE[0] <= ratio <= _LIKE_AVERAGE[1]:
        return "about the average of this text"
    if _TWICE[0] <= ratio <= _TWICE[1]:
        return "twice the average of this text"
    if _HALF[0] <= ratio <= _HALF[1]:
        return "half the average of this text"
    if ratio < _HARDLY_ANY:
        return f"against an average of {percent(average)} along this text"
    return f"{ratio:.1f} times the average of this text"


def _heat_map(
    event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs, gate: GateName | None
) -> Picture:
    """Return the blocks of the gates above the text, with headings if there is room."""
    bands: dict[GateName, Bands] = {
        "update": event.update_bands,
        "reset": event.reset_bands,
        "candidate": event.candidate_bands,
    }
    num_rows = max(height - 2, 1)
    shown = (gate,) if gate else GATE_NAMES if num_rows >= _MIN_ROWS_OF_ALL else GATE_NAMES[:1]
    rows_of_each = num_rows // len(shown)
    heat_map = HeatMap.of(event.text, cursor, width, glyphs)
    lines: list[Line] = []
    for name in shown:
        meaning = _MEANINGS[name] if rows_of_each >= _MIN_ROWS_WITH_HEADING else ""
        lines += heat_map.block(bands[name], rows_of_each, _LETTERS[name], meaning, is_signed=name == "candidate")
    return (*lines, *heat_map.text())[: max(height, 0)]


def _table(event: TextTraced, cursor: int, glyphs: Glyphs) -> Picture:
    """Return the numbers of the cursor's column beside their averages over the text."""
    lines: list[Line] = [
        (Span(f"reading {_name(event, cursor, glyphs)}", "title"),),
        (Span(f"{'':<20}{'here':>6}{'average':>8}", "muted"),),
    ]
    for figure in _FIGURES:
        here, average = figure.value(event.gates[cursor]), _average(event, figure.value)
        lines.append(
            (
                Span(f"{figure.name:<20}", "text"),
                Span(f"{figure.shown(here):>6}", "value"),
                Span(f"{figure.shown(average):>8}", "muted"),
            )
        )
    return tuple(lines)


def _flowed(facts: Sequence[str], width: int) -> Picture:
    """Return facts in lines of `width`, none of them broken."""
    lines = [""]
    for fact in facts:
        longer = f"{lines[-1]}  {fact}" if lines[-1] else fact
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fact)
    return tuple((Span(line, "value"),) for line in lines)
