"""The same tweet at several temperatures, and how temperature reshapes the distribution of one character."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.corpus.report import counted
from engine.protocol.events import LadderTweet
from engine.protocol.insight import TextTraced
from engine.text import ELLIPSIS
from tui.text.cells import safe_chars, set_cell_size
from tui.xray.drawing import Glyphs, Line, Picture, Span, fitted, percent, wrapped

_LABEL_CELLS, _PERCENT_CELLS = 5, 7
_MIN_BAR_CELLS, _MAX_BAR_CELLS = 12, 40
_MIN_REPEATS = 3
_MAX_PERIOD = 40


def at_temperature(log_probs: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Return the probabilities at a temperature: p^(1/T), normalized; 0 is greedy."""
    if not log_probs:
        return ()
    highest = max(log_probs)
    if temperature == 0:
        best = log_probs.index(highest)
        return tuple(float(place == best) for place in range(len(log_probs)))
    weights = [math.exp((each - highest) / temperature) for each in log_probs]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def bars_picture(trace: TextTraced, temperature: float, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return bars of the likeliest characters after a text at a temperature, and of all others together."""
    chances = trace.chars[-1].likeliest
    shares = at_temperature(trace.next_log_probs, temperature)
    after = f"after {glyphs.quotes[0]}{safe_chars(trace.text)}{glyphs.quotes[1]}" if trace.text else "at the start"
    title = wrapped(f"next character {after} at temperature {temperature:g}", width, "title")
    rows = [(glyphs.label(chance.char), share) for chance, share in zip(chances, shares, strict=False)]
    others = shares[len(rows) :]
    rows = rows[: max(height - len(title) - bool(others), 0)]
    count = f" {counted(len(others), 'other')}"
    notes = (f"{count}, mean {percent(sum(others) / max(len(others), 1))}", count, "")
    room = width - _LABEL_CELLS - _PERCENT_CELLS
    note = next(note for note in notes if len(note) + _MIN_BAR_CELLS <= room or not note)
    cells = max(min(room - len(note), _MAX_BAR_CELLS), _MIN_BAR_CELLS)
    lines = [_bar(label, share, cells, glyphs) for label, share in rows]
    if others:
        lines.append((*_bar("rest", sum(others), cells, glyphs), Span(note, "muted")))
    return fitted((*title, *lines), width, height, glyphs)


def _bar(label: str, share: float, cells: int, glyphs: Glyphs) -> Line:
    return (
        Span(set_cell_size(label, _LABEL_CELLS - 1) + " "),
        Span(glyphs.bar(share, cells), "bar"),
        Span(percent(share).rjust(_PERCENT_CELLS), "value"),
    )


def ladder_picture(rungs: Sequence[LadderTweet], width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return one tweet per temperature, wrapped where there is room, and where greedy sampling is caught in a loop."""
    if not rungs:
        return ()
    notes = [(Span(note, "problem"),) for note in map(_loop_note, rungs) if note][: 1 if height > len(rungs) else 0]
    room = height - len(rungs) - len(notes)
    lines: list[Line] = []
    for rung in rungs:
        label = Span(f"{rung.temperature:>3g} ", "value")
        text = safe_chars(rung.text) + ("" if rung.reached_eos else ELLIPSIS)
        body = wrapped(text, width - len(label.text) - 1)
        num_lines = min(len(body), 1 + max(room, 0))
        room -= num_lines - 1
        more = (Span(glyphs.ellipsis, "muted"),) if num_lines < len(body) else ()
        indent = Span(" " * len(label.text))
        lines += [(indent if number else label, *line) for number, line in enumerate(body[:num_lines])]
        lines[-1] += more
    return fitted((*lines, *notes), width, height, glyphs)


def _loop_note(rung: LadderTweet) -> str:
    block = repeated(rung.text) if rung.temperature == 0 else ""
    return f"Greedy is caught in a loop: {safe_chars(block).strip()!r} again and again." if block else ""


def repeated(text: str) -> str:
    """Return the block that a text repeats at least three times somewhere, from a word on; empty if it repeats none."""
    for period in range(2, _MAX_PERIOD):
        starts = range(len(text) - _MIN_REPEATS * period + 1)
        for start in sorted(starts, key=lambda start: start > 0 and text[start - 1] != " "):
            block = text[start : start + period]
            if len(set(block)) > 1 and text.startswith(block * _MIN_REPEATS, start):
                return block
    return ""
