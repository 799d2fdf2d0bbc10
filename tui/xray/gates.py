"""View 2: the gates r and z and the candidate n along the text, as a heat map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

from engine.protocol.insight import CharGates, TextTraced
from tui.text.cells import packed
from tui.xray.drawing import GAP, Glyphs, Line, Picture, Shades, Span, beside, fitted, percent, wrapped
from tui.xray.heat_map import Block, HeatMap
from tui.xray.state import Answers, GateName, Shown, View, XrayState, latest_trace, trace_command, unknown_chars

_HELP = (
    "A column is one character being read; a row is a band of hidden units, those with the lowest mean z first.",
    "The update gate z decides what is kept: at 1 a unit keeps its state, at 0 the candidate n overwrites it.",
    "The reset gate r decides how much of the old state enters the candidate n, which lies between -1 and 1.",
    "Each unit's new state is z times its old state plus (1 - z) times n.",
    "Look for columns where z falls: a space, an @ or the end of a link often overwrites the state.",
)
GATE_NAMES: tuple[GateName, ...] = get_args(GateName)
"""The most telling one first: it is shown where there is room for one."""
_FORMULA = "new state = z x old state + (1 - z) x n. Units are in the order of their mean z."
_NUMBERS_WIDTH = 35
_WIDTH_WITH_NUMBERS_BESIDE = 100
_WIDTH_OF_LONG_NAMES, _WIDTH_WITH_NUMBERS = 64, 70
_LINES_OF_TEXT = 2
_MIN_LINES_WITH_HEADING, _MAX_ROWS = 4, 6
"""Lines of a block: the least with a heading, and the most rows."""
_MIN_LINES_OF_ALL = 10
"""From this many lines for the heat map, all three blocks are shown."""


@dataclass(frozen=True)
class _Figure:
    """A number of the cursor's column."""

    name: str
    short_name: str
    value: Callable[[CharGates], float]
    shown: Callable[[float], str] = "{:.2f}".format


_FIGURES = (
    _Figure("mean z", "z", lambda gates: gates.update_mean),
    _Figure("mean r", "r", lambda gates: gates.reset_mean),
    _Figure("overwritten, z < 0.1", "overwritten", lambda gates: gates.overwritten_share, percent),
    _Figure("kept, z > 0.9", "kept", lambda gates: gates.kept_share, percent),
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
        heat_map = fitted(_heat_map(event, cursor, map_width, height, glyphs, gate), map_width, height, glyphs)
        return fitted(beside(heat_map, _table(event, cursor, glyphs), map_width), width, height, glyphs)
    figures: list[Line] = []
    for each in _FIGURES:
        name = each.short_name if width < _WIDTH_OF_LONG_NAMES else each.name
        figures.append((Span(f"{name} {each.shown(each.value(event.gates[cursor]))}", "value"),))
    numbers = packed(figures, width, GAP)[: max(height // 3, 0)]
    heat_map = _heat_map(event, cursor, width, height - len(numbers), glyphs, gate)
    return fitted((*heat_map, *numbers), width, height, glyphs)


def _heat_map(
    event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs, gate: GateName | None
) -> Picture:
    """Return the blocks of the gates above the text, each with a heading, or all with their scales in one line."""
    num_lines = max(height - _LINES_OF_TEXT, 1)
    names = (gate,) if gate else GATE_NAMES if num_lines >= _MIN_LINES_OF_ALL else GATE_NAMES[:1]
    blocks = [_block(event, name) for name in names]
    has_headings = num_lines // len(blocks) >= _MIN_LINES_WITH_HEADING
    has_legend = not has_headings and num_lines > len(blocks)
    num_rows = min((num_lines - has_legend) // len(blocks) - has_headings, _MAX_ROWS)
    has_gaps = has_headings and num_lines >= len(blocks) * (num_rows + 2) - 1
    num_numbers = 1 if width >= _WIDTH_WITH_NUMBERS and has_headings else 0
    heat_map = HeatMap(event.text, cursor, width, glyphs, num_units=event.hidden_size, num_numbers=num_numbers)
    lines: list[Line] = []
    if has_legend:
        scales = ((Span(f"{block.letter} ", "title"), *block.legend(num_rows, glyphs)) for block in blocks)
        lines += packed(scales, width, GAP)[:1]
    for number, block in enumerate(blocks):
        if has_gaps and number:
            lines.append(())
        if has_headings:
            lines.append(heat_map.heading(block, num_rows, ("here",) * num_numbers))
        lines += heat_map.rows(block, num_rows, (block.bands[cursor],) * num_numbers)
    return (*lines, *heat_map.text())[: max(height, 0)]


def _block(event: TextTraced, gate: GateName) -> Block:
    if gate == "update":
        return Block(bands=event.update_bands, letter="z", name="update gate z", meaning="1 keeps, 0 overwrites")
    if gate == "reset":
        return Block(bands=event.reset_bands, letter="r", name="reset gate r", meaning="0 leaves the state out of n")
    bands = event.candidate_bands
    return Block(bands=bands, letter="n", name="candidate n", meaning="overwrites the state", is_signed=True)


def _table(event: TextTraced, cursor: int, glyphs: Glyphs) -> Picture:
    """Return the numbers of the cursor's column beside their averages over the text, and how they make the state."""
    lines: list[Line] = [
        (Span(f"reading {_name(event, cursor, glyphs)}", "title"),),
        (Span(f"{'':<20}{'here':>7}{'average':>8}", "muted"),),
    ]
    for figure in _FIGURES:
        here, average = figure.value(event.gates[cursor]), _average(event, figure.value)
        lines.append(
            (
                Span(f"{figure.name:<20}", "text"),
                Span(f"{figure.shown(here):>7}", "value"),
                Span(f"{figure.shown(average):>8}", "muted"),
            )
        )
    return (*lines, (), *wrapped(_FORMULA, _NUMBERS_WIDTH, "muted"))


def _name(event: TextTraced, cursor: int, glyphs: Glyphs) -> str:
    return glyphs.name(event.text[cursor - 1]) if cursor else "<BOS>"


def _average(event: TextTraced, value: Callable[[CharGates], float]) -> float:
    return sum(map(value, event.gates)) / len(event.gates)


def _sentence(event: TextTraced, cursor: int, glyphs: Glyphs) -> str:
    """Return how many units the input at the cursor overwrote or kept, beside the average of the text."""
    gates = event.gates[cursor]
    reading = f"Reading {_name(event, cursor, glyphs)}"
    if overwritten := gates.overwritten_share:
        compared = _compared(overwritten, _average(event, lambda gates: gates.overwritten_share))
        return f"{reading} overwrote {percent(overwritten)} of the units (z < 0.1), {compared}"
    if kept := gates.kept_share:
        compared = _compared(kept, _average(event, lambda gates: gates.kept_share))
        return f"{reading} overwrote no unit and kept {percent(kept)} (z > 0.9), {compared}"
    average = _average(event, lambda gates: gates.update_mean)
    return f"{reading} mixed old and new in every unit: mean z {gates.update_mean:.2f}, {average:.2f} on average"


def _compared(value: float, average: float) -> str:
    """Return a value above 0 beside its average."""
    ratio = value / average
    if 0.8 <= ratio <= 1.25:
        return "about the average of this text"
    if 1.75 <= ratio <= 2.25:
        return "twice the average of this text"
    if 0.4 <= ratio <= 0.6:
        return "half the average of this text"
    if ratio < 0.1:
        return f"against an average of {percent(average)} along this text"
    return f"{ratio:.1f} times the average of this text"


def _show(state: XrayState, answers: Answers, glyphs: Glyphs) -> Shown | None:
    traced, cursor = latest_trace(state, answers), state.cursor
    if traced is None:
        return None
    changes = [gates.hidden_change for gates in traced.gates]
    lowest, highest = min(changes), max(changes)
    values = ((change - lowest) / (highest - lowest or 1.0) for change in changes)
    return Shown(
        render=lambda width, height: render(traced, cursor, width, height, glyphs, state.gate),
        sentence=_sentence(traced, cursor, glyphs),
        weights_step=traced.weights_step,
        shades=Shades((*values, None), "change of the state", f"{lowest:.2f}", f"{highest:.2f}"),
        num_layers=traced.num_layers,
        unknown_chars=unknown_chars(traced),
    )


def _with_next_gate(state: XrayState) -> XrayState:
    """Return the state with the next gate; all of them come after the last."""
    gates = (None, *GATE_NAMES, None)
    return replace(state, gate=gates[gates.index(state.gate) + 1])


VIEW = View(
    name="gates",
    help=_HELP,
    height=24,
    asks=lambda state: (trace_command(state),),
    show=_show,
    keys=frozenset({"variant", "layer"}),
    variant="gate",
    with_next_variant=_with_next_gate,
)
