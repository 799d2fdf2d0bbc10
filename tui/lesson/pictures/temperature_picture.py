"""The same tweet at several temperatures, and how temperature reshapes the distribution of one character."""

from __future__ import annotations

from collections.abc import Sequence

from engine.protocol.events import CharChance, LadderTweet
from engine.text import ELLIPSIS
from tui.formatting.cells import safe_chars, set_cell_size
from tui.xray.glyphs import Glyphs, percent
from tui.xray.layout import fitted, wrapped
from tui.xray.spans import Line, Picture, Span

_LABEL_CELLS, _PERCENT_CELLS = 4, 7
_MAX_BAR_CELLS = 40
_MIN_REPEATS = 3
_MAX_PERIOD = 40


def at_temperature(chances: Sequence[CharChance], temperature: float) -> tuple[float, ...]:
    """Return the probabilities at a temperature, among these characters alone: p^(1/T), normalized; 0 is greedy."""
    if not chances:
        return ()
    highest = max(chance.probability for chance in chances)
    if temperature == 0:
        best = [chance.probability for chance in chances].index(highest)
        return tuple(float(place == best) for place in range(len(chances)))
    weights = [(chance.probability / highest) ** (1 / temperature) for chance in chances]
    return tuple(weight / sum(weights) for weight in weights)


def bars_picture(
    text: str, chances: Sequence[CharChance], temperature: float, width: int, height: int, glyphs: Glyphs
) -> Picture:
    """Return bars of the likeliest characters after `text` at a temperature."""
    shown = at_temperature(chances, temperature)
    after = f"after {glyphs.quotes[0]}{safe_chars(text)}{glyphs.quotes[1]}" if text else "as the first character"
    title = f"next character {after} at temperature {temperature:g}, among the {len(chances)} likeliest"
    cells = max(min(width - _LABEL_CELLS - _PERCENT_CELLS - 1, _MAX_BAR_CELLS), 1)
    rows = [
        (
            Span(set_cell_size(glyphs.label(chance.char), _LABEL_CELLS)),
            Span(glyphs.bar(share, cells), "bar"),
            Span(percent(share).rjust(_PERCENT_CELLS), "value"),
        )
        for chance, share in zip(chances, shown, strict=True)
    ]
    return fitted((*wrapped(title, width, "title"), *rows), width, height, glyphs)


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
    """Return the block that a text repeats at least three times somewhere, from a word on; empty if there is none."""
    for period in range(2, _MAX_PERIOD):
        starts = range(len(text) - _MIN_REPEATS * period + 1)
        for start in sorted(starts, key=lambda start: start > 0 and text[start - 1] != " "):
            block = text[start : start + period]
            if len(set(block)) > 1 and text.startswith(block * _MIN_REPEATS, start):
                return block
    return ""
