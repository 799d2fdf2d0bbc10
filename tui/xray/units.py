"""View 4: the hidden units that track a concept, and one of them held at a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.protocol.events import CharRead
from engine.protocol.insight import HoldUnit, Insight, ScoreUnits, UnitHeld, UnitScore, UnitsScored
from engine.text import counted, sanitize_line
from tui.text.cells import cell_len, num_cells
from tui.text.numbers import shown_percent
from tui.xray.drawing import (
    Glyphs,
    Kind,
    Line,
    Picture,
    Shades,
    Span,
    beside,
    chance_of,
    chance_rows,
    cut,
    fitted,
    padded,
    percent,
)
from tui.xray.state import Answers, Shown, UnitId, View, XrayState, latest_trace, trace_command

_HELP = (
    "A hidden unit is one number of the state, -1 to 1. Some units follow what a reader would name.",
    "The table correlates the state of every unit with concepts, over tweets that were held out from training.",
    "1 or -1 is a perfect match, 0 is none. A small model often has no unit for a concept; the table shows that too.",
    "The selected unit colours the text. Hold it at a value: the model then computes everything else with that value.",
    "The bars, and tweets sampled while it is held, show what the unit causes; a correlation can't.",
)
_CLEAR_CORRELATION = 0.3
"""Below this absolute value, the view reports no unit that tracks the concept."""
_WIDTH_WITH_TABLE_BESIDE, _MAX_TABLE_WIDTH = 150, 84
_MIN_TABLE, _MAX_BARS, _MIN_HELD_WITH_TWEETS = 3, 6, 6
_CONCEPT_CELLS, _BAR_CELLS = 25, 10
_NUMBER_CELLS = 15
"""Mark, layer and number of a unit, its correlation, and the blanks before them."""
_SLIDER_CELLS = 21
_WIDTH_OF_LONG_BARS = 60
_LABEL_CELLS, _PERCENT_CELLS = 4, 5
"""Columns of a row that compares the probabilities of a character while a unit is free and held."""
_NOTICEABLE_CHANGE = 0.01


@dataclass(frozen=True)
class _Units:
    """The answers that the view draws."""

    scored: UnitsScored
    held: UnitHeld | None
    """The selected unit; None before there is an answer for one."""
    free_chars: tuple[CharRead, ...]
    """The predictions along the same text without a unit held, for comparison; empty if there are none."""


def _render(event: _Units, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the best units of each concept; then the selected one: its value, the predictions, sampled tweets."""
    if width >= _WIDTH_WITH_TABLE_BESIDE:
        table = _table(event, _MAX_TABLE_WIDTH, height, glyphs)
        held = _held(event, cursor, width - _MAX_TABLE_WIDTH - 2, height, glyphs)
        return fitted(beside(table, held, _MAX_TABLE_WIDTH), width, height, glyphs)
    table_rows = len(_by_concept(event.scored)) + 1
    held = _held(event, cursor, width, height - min(table_rows, max(_MIN_TABLE, height * 2 // 5)), glyphs)
    return fitted((*_table(event, width, height - len(held), glyphs), *held), width, height, glyphs)


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


def _table(event: _Units, width: int, height: int, glyphs: Glyphs) -> Picture:
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
    if len(heading) <= width:
        return heading
    return "correlation in the trained tweet" if is_trained else f"correlation in {tweets}"


def _row(units: Sequence[UnitScore], selected: UnitId | None, width: int, glyphs: Glyphs, *, names_layer: bool) -> Line:
    """Return a concept, its best unit with a bar, and the next ones as far as there is room.

    A selected unit takes the last place rather than none.
    """
    best = units[0]
    bar_cells = _BAR_CELLS if width >= _WIDTH_OF_LONG_BARS else _BAR_CELLS // 2
    concept_cells = min(_CONCEPT_CELLS, max(width - bar_cells - _NUMBER_CELLS, 1))
    is_clear = abs(best.correlation) >= _CLEAR_CORRELATION
    line: Line = (
        *padded(cut((Span(sanitize_line(best.concept)),), concept_cells, glyphs), concept_cells + 1),
        Span(glyphs.bar(abs(best.correlation), bar_cells), "bar" if is_clear else "muted"),
    )
    cells = [(each, f" {_name(each, names_layer=names_layer)} {each.correlation:+.2f}") for each in units]
    num_shown = max((width - num_cells(line)) // (1 + max(len(text) for _, text in cells)), 1)
    shown = cells[:num_shown]
    shown[-1:] = [cell for cell in cells[num_shown:] if (cell[0].layer, cell[0].unit) == selected] or shown[-1:]
    for each, text in shown if is_clear else cells[:1]:
        is_selected = (each.layer, each.unit) == selected
        kind: Kind = "cursor" if is_selected else "value" if each is best and is_clear else "muted"
        line = (*line, Span(" "), Span(f"{glyphs.mark}{text[1:]}" if is_selected else text, kind))
    return cut(line if is_clear else (*line, Span(" no unit clearly", "muted")), width, glyphs)


def _name(unit: UnitScore, *, names_layer: bool) -> str:
    return f"{unit.layer + 1}/{unit.unit:<3}" if names_layer else f"{unit.unit:>3}"


def _held(event: _Units, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the value of the selected unit, the predictions at the cursor, and tweets sampled with it."""
    held = event.held
    if held is None or height < 1:
        return ()
    num_tweets = min(len(held.tweets) + 1, height // 2) if height >= _MIN_HELD_WITH_TWEETS else 0
    num_bars = min(height - 1 - num_tweets, _MAX_BARS)
    if held.value is None or not event.free_chars:
        bars = chance_rows(held.chars[cursor], width, num_bars, glyphs)
    else:
        bars = _held_rows(event.free_chars[cursor], held.chars[cursor], width, num_bars, glyphs)
    how = "free" if held.value is None else f"held at {held.value:+.2f}"
    tweets = (
        (Span(f"tweets sampled while it is {how}:", "muted"),),
        *((Span(sanitize_line(each)),) for each in held.tweets),
    )
    return fitted((_slider(event, held, cursor, width, glyphs), *bars, *tweets), width, height, glyphs)


def _slider(event: _Units, held: UnitHeld, cursor: int, width: int, glyphs: Glyphs) -> Line:
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


def _sentence(event: _Units, cursor: int, glyphs: Glyphs) -> str:
    """Return what the selected unit tracks, and what holding it changes at the cursor."""
    held = event.held
    best = _best_of(event.scored, None if held is None else (held.layer, held.unit))
    if best is None:
        return "No unit was scored"
    concept = f"{glyphs.quotes[0]}{sanitize_line(best.concept)}{glyphs.quotes[1]}"
    name = f"unit {best.unit} of layer {best.layer + 1}" if _has_layers(event.scored) else f"unit {best.unit}"
    if abs(best.correlation) < _CLEAR_CORRELATION:
        tracked = f"No unit tracks {concept} clearly: the correlation of {name} is {best.correlation:.2f}"
    else:
        sign = "" if best.correlation > 0 else " with the opposite sign"
        tracked = f"{name.capitalize()} tracks {concept}{sign}: correlation {best.correlation:.2f}"
    if held is None or held.value is None or not event.free_chars:
        return tracked
    return f"{tracked}; {_change_sentence(event.free_chars[cursor], held.chars[cursor], held.value, glyphs)}"


def _held_rows(free: CharRead, held: CharRead, width: int, num_rows: int, glyphs: Glyphs) -> Picture:
    """Return a heading and a row per character: its probability while the unit is free, and while it is held."""
    if num_rows < 1:
        return ()
    before, after = _chances(free), _chances(held)
    chars = sorted(before | after, key=lambda char: -max(before.get(char, 0.0), after.get(char, 0.0)))
    half = max((width - _LABEL_CELLS) // 2, 1)
    heading = (Span(" " * _LABEL_CELLS + "free".ljust(half) + "held", "muted"),)
    rows = []
    for char in chars[: num_rows - 1]:
        label = glyphs.label(char)
        named = (Span(label + " " * (_LABEL_CELLS - cell_len(label)), "good" if char == free.char else "text"),)
        left, right = (_column(chances.get(char), half - 1, glyphs) for chances in (before, after))
        rows.append((*named, *padded(left, half), *right))
    return tuple(cut(row, width, glyphs) for row in (heading, *rows))


def _change_sentence(free: CharRead, held: CharRead, value: float, glyphs: Glyphs) -> str:
    """Return which character's probability changes most while the unit is held at `value`."""
    before, after = _chances(free), _chances(held)
    limits = [min(chance.probability for chance in read.likeliest) for read in (free, held)]

    def change(char: str) -> float:
        """Return by how much the probability changes at least; one not given is at most the lowest given one."""
        if char in before and char in after:
            return abs(after[char] - before[char])
        return before[char] - limits[1] if char in before else after[char] - limits[0]

    char = max(before | after, key=change)
    if change(char) < _NOTICEABLE_CHANGE:
        return f"held at {value:+.2f}, it changes no probability here by 1 % or more"
    is_free, is_held = (
        percent(chances[char]) if char in chances else f"less than {percent(limit)}"
        for chances, limit in zip((before, after), limits, strict=True)
    )
    return f"held at {value:+.2f}, {glyphs.name(char)} has {is_held} here; free, {is_free}"


def _chances(read: CharRead) -> dict[str, float]:
    """Return the known probabilities: those of the most probable characters, and that of the true one."""
    return {chance.char: chance.probability for chance in read.likeliest} | {read.char: chance_of(read.bits)}


def _column(chance: float | None, width: int, glyphs: Glyphs) -> Line:
    """Return a percentage and its bar."""
    if chance is None:
        return (Span("–".rjust(_PERCENT_CELLS), "muted"),)
    bar_cells = max(width - _PERCENT_CELLS - 1, 1)
    return (Span(shown_percent(chance), "value"), Span(" " + glyphs.bar(chance, bar_cells).rstrip(), "bar"))


def _asks(state: XrayState) -> tuple[Insight, ...]:
    """Return the commands for all units and the selected one; with it held, also for the free model's predictions."""
    if state.unit is None:
        return (ScoreUnits(),)
    layer, unit = state.unit
    held = HoldUnit(text=state.text, layer=layer, unit=unit, value=state.value, seed=state.seed)
    return (ScoreUnits(), held) if state.value is None else (ScoreUnits(), held, trace_command(state))


def _select(state: XrayState, answers: Answers, step: int) -> XrayState:
    """Return the state with the unit that many places below in the table, free; the first if none is selected."""
    scored = answers.latest(ScoreUnits, UnitsScored)
    rows = [] if scored is None else _by_concept(scored[1])
    units = list(dict.fromkeys((each.layer, each.unit) for row in rows for each in row))
    if not units or (step == 0 and state.unit is not None):
        return state
    place = units.index(state.unit) + step if state.unit in units else 0
    return replace(state, unit=units[min(max(place, 0), len(units) - 1)], value=None)


def _show(state: XrayState, answers: Answers, glyphs: Glyphs) -> Shown | None:
    scored = answers.latest(ScoreUnits, UnitsScored)
    if scored is None:
        return None
    command, held = answers.latest(HoldUnit, UnitHeld) or (None, None)
    if command is not None and command.text != state.text:
        held = None
    traced = latest_trace(state, answers)
    units = _Units(scored[1], held, () if traced is None else traced.chars)
    sentence = _sentence(units, state.cursor, glyphs)
    if state.unit is not None and state.value is not None:
        wanted = *state.unit, state.value
        if command is None or (command.layer, command.unit, command.value) != wanted:
            sentence = (
                f"Unit {state.unit[1]} is held at {state.value:+.2f}: its tweets and predictions are being computed…"
            )
    shades = None
    if held is not None:
        shades = Shades((*held.activations, None), f"state of unit {held.unit}", "-1", "1", is_signed=True)
    return Shown(
        render=lambda width, height: _render(units, state.cursor, width, height, glyphs),
        sentence=sentence,
        weights_step=scored[1].weights_step if held is None else held.weights_step,
        shades=shades,
    )


VIEW = View(
    name="units",
    help=_HELP,
    height=26,
    asks=_asks,
    show=_show,
    keys=frozenset({"move_line_up", "move_line_down", "hold_down", "hold_up", "free", "redraw"}),
    waiting="Comparing every hidden unit with concepts, over held-out tweets: "
    "it takes a while beside the training, and is quick while that is paused…",
    select=_select,
)
