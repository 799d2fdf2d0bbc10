"""View 4: the hidden units that track a concept, and one of them held at a value.

See `tui.xray` for the three functions of a view. They draw several answers, which `UnitAnswers` collects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.corpus.report import counted
from engine.protocol.events import CharRead
from engine.protocol.insight import UnitHeld, UnitScore, UnitsScored
from engine.text import sanitize_line
from tui.xray.chance_rows import chance_rows
from tui.xray.glyphs import Glyphs
from tui.xray.held_rows import change_sentence, held_rows
from tui.xray.layout import beside, cut, fitted, line_width, padded
from tui.xray.shades import Shades
from tui.xray.spans import Kind, Line, Picture, Span

HELP = (
    "A hidden unit is one number of the state, -1 to 1. Some units follow what a reader would name.",
    "The table correlates the state of every unit with concepts, over tweets that were held out from training.",
    "1 or -1 is a perfect match, 0 is none. A small model often has no unit for a concept; the table shows that too.",
    "The selected unit colours the text. Hold it at a value: the model then computes everything else with that value.",
    "The bars, and tweets sampled while it is held, show what the unit causes; a correlation can't.",
)
CLEAR_CORRELATION = 0.3
"""Below this absolute value, the view reports no unit that tracks the concept."""
UnitId = tuple[int, int]
"""Layer and number of a unit, from 0."""
_WIDTH_WITH_TABLE_BESIDE, _MAX_TABLE_WIDTH = 150, 84
_MIN_TABLE, _MAX_BARS, _MIN_HELD_WITH_TWEETS = 3, 6, 6
_CONCEPT_CELLS, _BAR_CELLS = 25, 10
_NUMBER_CELLS = 15
"""Mark, layer and number of a unit, its correlation, and the blanks before them."""
_SLIDER_CELLS = 21
_WIDTH_OF_LONG_BARS = 60


@dataclass(frozen=True, kw_only=True)
class UnitAnswers:
    """What the view draws."""

    scored: UnitsScored
    held: UnitHeld | None = None
    """The selected unit; None before there is an answer for one."""
    free_chars: tuple[CharRead, ...] = ()
    """The predictions along the same text without a unit held, for comparison; empty if there are none."""


def selectable(scored: UnitsScored) -> tuple[UnitId, ...]:
    """Return the units in the order of the table, each once."""
    return tuple(dict.fromkeys((each.layer, each.unit) for row in _by_concept(scored) for each in row))


def render(event: UnitAnswers, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the best units of each concept; then the selected one: its value, the predictions, sampled tweets."""
    if width >= _WIDTH_WITH_TABLE_BESIDE:
        table = _table(event, _MAX_TABLE_WIDTH, height, glyphs)
        held = _held(event, cursor, width - _MAX_TABLE_WIDTH - 2, height, glyphs)
        return fitted(beside(table, held, _MAX_TABLE_WIDTH), width, height, glyphs)
    table_rows = len(_by_concept(event.scored)) + 1
    held = _held(event, cursor, width, height - min(table_rows, max(_MIN_TABLE, height * 2 // 5)), glyphs)
    return fitted((*_table(event, width, height - len(held), glyphs), *held), width, height, glyphs)


def shades(event: UnitAnswers, cursor: int) -> Shades | None:  # noqa: ARG001 - all views have the same arguments
    """Return the state of the selected unit after each input; None if no unit is selected."""
    if event.held is None:
        return None
    return Shades((*event.held.activations, None), f"state of unit {event.held.unit}", "-1", "1", is_signed=True)


def sentence(event: UnitAnswers, cursor: int, glyphs: Glyphs) -> str:
    """Return what the selected unit tracks, and what holding it changes at the cursor."""
    held = event.held
    best = _best_of(event.scored, None if held is None else (held.layer, held.unit))
    if best is None:
        return "No unit was scored"
    concept = f"{glyphs.quotes[0]}{sanitize_line(best.concept)}{glyphs.quotes[1]}"
    name = f"unit {best.unit} of layer {best.layer + 1}" if _has_layers(event.scored) else f"unit {best.unit}"
    if abs(best.correlation) < CLEAR_CORRELATION:
        tracked = f"No unit tracks {concept} clearly: the correlation of {name} is {best.correlation:.2f}"
    else:
        sign = "" if best.correlation > 0 else " with the opposite sign"
        tracked = f"{name.capitalize()} tracks {concept}{sign}: correlation {best.correlation:.2f}"
    if held is None or held.value is None or not event.free_chars:
        return tracked
    return f"{tracked}; {change_sentence(event.free_chars[cursor], held.chars[cursor], held.value, glyphs)}"


def _by_concept(scored: UnitsScored) -> list[list[UnitScore]]:
    """Return the units of each concept, best first, and the concept with the best one first."""
    concepts: dict[str, list[UnitScore]] = {}
    for each in scored.units:
        concepts.setdefault(each.concept, []).append(each)
    rows = [sorted(units, key=lambda each: -abs(each.correlation)) for units in concepts.values()]
    return sorted(rows, key=lambda row: -abs(row[0].correlation))


def _best_of(scored: UnitsScored, unit: UnitId | None) -> UnitScore | None:
    """Return the highest score of a unit, or of all units without one or if it has none."""
    own = [each for each in scored.units if (each.layer, each.unit) == unit]
    return max(own or scored.units, key=lambda each: abs(each.correlation), default=None)


def _table(event: UnitAnswers, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return a row per concept with its units, those around the selected one if there is not room for all."""
    rows = _by_concept(event.scored)
    selected = None if event.held is None else (event.held.layer, event.held.unit)
    own = next((number for number, row in enumerate(rows) if selected in {(u.layer, u.unit) for u in row}), 0)
    num_rows = max(min(height - 1, len(rows)), 0)
    first = min(max(own - num_rows // 2, 0), len(rows) - num_rows)
    names_layer = _has_layers(event.scored)
    shown = rows[first : first + num_rows]
    return (
        cut((Span(_heading(event.scored, width), "title"),), width, glyphs),
        *(_row(row, selected, width, glyphs, names_layer=names_layer) for row in shown),
    )


def _heading(scored: UnitsScored, width: int) -> str:
    """Return what the columns of the table are, in as many words as fit."""
    what = "layer/unit and correlation" if _has_layers(scored) else "correlation"
    is_trained = scored.num_tweets == 1  # a model that learns a single tweet has no other one
    tweets = "the one tweet it is trained on" if is_trained else counted(scored.num_tweets, "held-out tweet")
    heading = f"{what} over {counted(scored.num_chars, 'character')} of {tweets}"
    return (
        heading
        if len(heading) <= width
        else "correlation in the trained tweet"
        if is_trained
        else f"correlation in {tweets}"
    )


def _row(units: Sequence[UnitScore], selected: UnitId | None, width: int, glyphs: Glyphs, *, names_layer: bool) -> Line:
    """Return a concept, its best unit with a bar, and the next ones as far as there is room.

    A selected unit takes the last place rather than none.
    """
    best = units[0]
    bar_cells = _BAR_CELLS if width >= _WIDTH_OF_LONG_BARS else _BAR_CELLS // 2
    concept_cells = min(_CONCEPT_CELLS, max(width - bar_cells - _NUMBER_CELLS, 1))
    is_clear = abs(best.correlation) >= CLEAR_CORRELATION
    line: Line = (
        *padded(cut((Span(sanitize_line(best.concept)),), concept_cells, glyphs), concept_cells + 1),
        Span(glyphs.bar(abs(best.correlation), bar_cells), "bar" if is_clear else "muted"),
    )
    cells = [(each, f" {_name(each, names_layer=names_layer)} {each.correlation:+.2f}") for each in units]
    num_shown = max((width - line_width(line)) // (1 + max(len(text) for _, text in cells)), 1)
    shown = cells[:num_shown]
    shown[-1:] = [cell for cell in cells[num_shown:] if (cell[0].layer, cell[0].unit) == selected] or shown[-1:]
    for each, text in shown if is_clear else cells[:1]:
        is_selected = (each.layer, each.unit) == selected
        kind: Kind = "cursor" if is_selected else "value" if each is best and is_clear else "muted"
        line = (*line, Span(" "), Span(f"{glyphs.mark}{text[1:]}" if is_selected else text, kind))
    return cut(line if is_clear else (*line, Span(" no unit clearly", "muted")), width, glyphs)


def _name(unit: UnitScore, *, names_layer: bool) -> str:
    return f"{unit.layer + 1}/{unit.unit:<3}" if names_layer else f"{unit.unit:>3}"


def _held(event: UnitAnswers, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the value of the selected unit, the predictions at the cursor, and tweets sampled with it."""
    held = event.held
    if held is None or height < 1:
        return ()
    num_tweets = min(len(held.tweets) + 1, height // 2) if height >= _MIN_HELD_WITH_TWEETS else 0
    num_bars = min(height - 1 - num_tweets, _MAX_BARS)
    if held.value is None or not event.free_chars:
        bars = chance_rows(held.chars[cursor], width, num_bars, glyphs)
    else:
        bars = held_rows(event.free_chars[cursor], held.chars[cursor], width, num_bars, glyphs)
    how = "free" if held.value is None else f"held at {held.value:+.2f}"
    tweets = (
        (Span(f"tweets sampled while it is {how}:", "muted"),),
        *((Span(sanitize_line(each)),) for each in held.tweets),
    )
    return fitted((_slider(event, held, cursor, width, glyphs), *bars, *tweets), width, height, glyphs)


def _slider(event: UnitAnswers, held: UnitHeld, cursor: int, width: int, glyphs: Glyphs) -> Line:
    """Return the range of a unit's state with its own state at the cursor and the value at which it is held."""
    own = held.activations[cursor]
    num_cells = _SLIDER_CELLS if width >= _WIDTH_OF_LONG_BARS else _SLIDER_CELLS // 2
    cells = [glyphs.padding] * num_cells
    cells[_slider_cell(own, num_cells)] = glyphs.boundary
    if held.value is not None:
        cells[_slider_cell(held.value, num_cells)] = glyphs.eos
    name = f"{held.layer + 1}/{held.unit}" if _has_layers(event.scored) else f"{held.unit}"
    return (
        Span(f"unit {name} ", "title"),
        Span("free" if held.value is None else f"held {held.value:+.2f}", "value"),
        Span("  -1 ", "muted"),
        Span("".join(cells), "bar"),
        Span(" 1", "muted"),
        Span(f"  its own state {own:+.2f}", "muted"),
    )


def _has_layers(scored: UnitsScored) -> bool:
    """Return whether units of several layers were scored."""
    return any(each.layer for each in scored.units)


def _slider_cell(value: float, num_cells: int) -> int:
    """Return the cell of a value, -1 to 1."""
    return round((min(max(value, -1.0), 1.0) + 1) / 2 * (num_cells - 1))
