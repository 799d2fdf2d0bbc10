"""View 1: one character at a time, as in training; or beside it the model fed with its own draws.

See `tui.xray` for the three functions of a view.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log

from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS
from engine.protocol.insight import Bands, TextTraced
from tui.text.cells import cell_len
from tui.text.numbers import format_bits
from tui.xray.chance_rows import chance_rows
from tui.xray.glyphs import Glyphs, chance_of, largest, level_spans, percent, pooled, scale_spans
from tui.xray.heat_map import Block, HeatMap
from tui.xray.layout import beside, fitted, flowed, wrapped
from tui.xray.own_draw import aligned_runs, both_chances, parting_sentence
from tui.xray.shades import Shades
from tui.xray.spans import Line, Picture, Span

HELP = (
    "It reads a character (embed), changes its state (before, after), and gives each possible next one a probability.",
    "In training it is then fed the true next character, whatever it predicted: this is teacher forcing.",
    "The loss of a character comes from the probability it got: 0 bits for 100 %, 1 bit for 50 %, 2 for 25 %.",
    "The mean over the tweet is its loss; one character at a time or all at once, the result is the same.",
    "Fed its own draws (own), it can leave the text for good: it never trained on its own errors (exposure bias).",
)
_MAX_BITS_SHADED = 8
_WIDTH_OF_COLUMNS = 64
_WIDTH_WITH_NUMBERS = 100
_MIN_FACTS_WIDTH, _MAX_FACTS_WIDTH = 30, 44
_MAX_BARS, _MIN_BARS = 8, 3
_LINES_WITH_MORE_BARS = 9
_LINES_AROUND_STATES = 3
"""A heading above the rows, the text and the mark of the cursor below."""
_MIN_ROWS_OF_STATES, _MAX_ROWS_OF_STATES = 3, 8
_LABEL_CELLS = len("before ")
_EQUAL_LOSSES = 1e-5
"""Bits; a smaller difference comes from rounding."""
_IMPORTANCE = (
    *("own", "bars", "next", "read", "mean", "after", "before"),
    *("embedding", "own state", "check", "change", "sizes"),
)
"""Which blocks of lines are shown first where there is not room for all."""
_BELOW_COLUMNS = ("check", "sizes")
"""The blocks that have the whole width, below two columns."""


def render(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return what went in at the cursor, the state before and after, and the prediction of the next character.

    Below, where there is room: the hidden state along the text.
    """
    draw = _in_columns if width >= _WIDTH_OF_COLUMNS else _in_one_column
    picture = draw(event, cursor, width, max(height, 0), glyphs)
    states = _states(event, cursor, width, height - len(picture) - 1, glyphs)
    return fitted((*picture, (), *states) if states else picture, width, height, glyphs)


def _in_one_column(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    blocks = _blocks(event, cursor, width, glyphs)
    fewest = _fewest_bars(event, height)
    spare = height - len(_chosen(blocks | {"bars": ((),) * fewest}, height))
    blocks["bars"] = _bars(event, cursor, width, min(fewest + spare, _most_bars(event)), glyphs)
    return _chosen(blocks, height)


def _fewest_bars(event: TextTraced, height: int) -> int:
    """Return the lines of bars, headings included, before other lines are shown."""
    if event.own is None:
        return max(min(_MIN_BARS, height - 1), 0)
    return _MIN_BARS + 1 if height >= _LINES_WITH_MORE_BARS else _MIN_BARS - 1


def _most_bars(event: TextTraced) -> int:
    return _MAX_BARS if event.own is None else _MAX_BARS + 1


def _in_columns(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return both texts, if there are two; facts on the left and bars on the right; below, what has the whole width."""
    wanted = width // 2 - 1 if event.own is None else max(width // 3, _MIN_FACTS_WIDTH)
    left_width = min(wanted, _MAX_FACTS_WIDTH)
    own = _aligned(event, cursor, width, glyphs)[:height]
    room = min(height - len(own), _most_bars(event))
    elsewhere = dict.fromkeys(("own", *_BELOW_COLUMNS), ())
    left = _chosen(_blocks(event, cursor, left_width, glyphs) | elsewhere, room)
    right = _bars(event, cursor, width - left_width - 2, room, glyphs)
    columns = beside(fitted(left, left_width, room, glyphs), right, left_width)
    blocks = _blocks(event, cursor, width, glyphs)
    below = {name: lines if name in _BELOW_COLUMNS else () for name, lines in blocks.items()}
    return (*own, *columns, *_chosen(below, height - len(own) - len(columns)))


def _states(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the hidden state after each input, above the text; nothing if there is not room for it.

    In a wide picture each row has its numbers before and after the input at the cursor.
    """
    num_rows = min(height - _LINES_AROUND_STATES, _MAX_ROWS_OF_STATES)
    if num_rows < _MIN_ROWS_OF_STATES:
        return ()
    numbers = event.hidden_bands[cursor : cursor + 2] if width >= _WIDTH_WITH_NUMBERS else ()
    names = ("before", "after")[: len(numbers)]
    heat_map = HeatMap.of(event.text, cursor, width, glyphs, num_units=event.hidden_size, num_numbers=len(numbers))
    block = Block(bands=event.hidden_bands[1:], letter="h", name="hidden state after each input", is_signed=True)
    heading = heat_map.heading(block, num_rows, names)
    return (heading, *heat_map.rows(block, num_rows, numbers), *heat_map.text())


def shades(event: TextTraced, cursor: int) -> Shades:  # noqa: ARG001 - all views have the same arguments
    """Return the bits of each character."""
    bits = (min(read.bits / _MAX_BITS_SHADED, 1.0) for read in event.chars)
    return Shades((None, *bits), "bits of each character", "0", f"{_MAX_BITS_SHADED} or more")


def sentence(event: TextTraced, cursor: int, glyphs: Glyphs) -> str:
    """Return what the true next character cost and what was expected, and where the model's own draws part."""
    read = event.chars[cursor]
    first = read.likeliest[0]
    before = f"After {glyphs.name(event.text[cursor - 1])}" if cursor else "At the start"
    true = glyphs.name(read.char)
    expected = f"it had expected {glyphs.name(first.char)} ({percent(first.probability)})"
    if first.char == read.char:
        expected = "nothing was more probable"
    if _is_unknown(event, cursor):
        predicted = f"{before} comes {true}, which is not in the vocabulary; {expected}"
    else:
        predicted = f"{before} the model gave {true} {percent(chance_of(read.bits))}: {read.bits:.1f} bits; {expected}"
    return predicted if event.own is None else f"{parting_sentence(event.text, event.own, glyphs)}. {predicted}"


def _is_unknown(event: TextTraced, target: int) -> bool:
    return target < len(event.text) and event.token_ids[target + 1] == UNK


def _loss_bits(event: TextTraced, target: int) -> float:
    """Return what a target adds to the loss."""
    return event.chars[target].bits - (UNKNOWN_CHAR_BITS if _is_unknown(event, target) else 0.0)


def _blocks(event: TextTraced, cursor: int, width: int, glyphs: Glyphs) -> dict[str, Picture]:
    """Return the lines by name, without the bars, in the order in which they are read."""
    char = glyphs.label(event.text[cursor - 1]) if cursor else "<BOS>"
    target = glyphs.label(event.chars[cursor].char) + (" (unknown)" if _is_unknown(event, cursor) else "")
    bits = _loss_bits(event, cursor)
    change = event.gates[cursor].hidden_change
    own_states = () if event.own is None else event.own.hidden_bands
    return {
        "own": _aligned(event, cursor, width, glyphs),
        "read": (_fact("read", char, f"  id {event.token_ids[cursor]}, {cursor + 1} of {len(event.token_ids)}"),),
        "embedding": _strip("embed", event.embedding_bands, cursor, width, glyphs),
        "before": _strip("before", event.hidden_bands, cursor, width, glyphs),
        "after": _strip("after", event.hidden_bands, cursor + 1, width, glyphs),
        "own state": _strip("own", own_states, cursor + 1, width, glyphs),
        "change": (_fact("change", f"{change:.2f}", " (root mean square)"),),
        "next": (_fact("next", target, f"  {format_bits(bits)} bits ({percent(chance_of(bits))})"),),
        "bars": (),
        "mean": (_mean(event, cursor),),
        "check": _check(event, width),
        "sizes": _sizes(event, width, glyphs),
    }


def _chosen(blocks: Mapping[str, Picture], height: int) -> Picture:
    """Return the most important blocks that fit in `height`, in the order of the mapping."""
    names = set()
    for name in _IMPORTANCE:
        if len(blocks[name]) <= height:
            names.add(name)
            height -= len(blocks[name])
    return tuple(line for name, lines in blocks.items() if name in names for line in lines)


def _fact(label: str, value: str, rest: str) -> Line:
    value += " " * (3 - cell_len(value))
    return (Span(label.ljust(_LABEL_CELLS), "muted"), Span(value, "value"), Span(rest, "text"))


def _strip(label: str, rows: Bands, row: int, width: int, glyphs: Glyphs) -> Picture:
    """Return a row of numbers as cells, scaled by the largest number of all rows; nothing beyond the last row."""
    if row >= len(rows):
        return ()
    scale = largest(rows)
    values = [value / scale for value in pooled(rows[row], width - _LABEL_CELLS)]
    return ((Span(label.ljust(_LABEL_CELLS), "muted"), *level_spans(values, glyphs, is_signed=True)),)


def _aligned(event: TextTraced, cursor: int, width: int, glyphs: Glyphs) -> Picture:
    return () if event.own is None else aligned_runs(event, event.own, cursor, width, glyphs)


def _bars(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    if event.own is not None:
        return both_chances(event, event.own, cursor, width, height, glyphs)
    return chance_rows(event.chars[cursor], width, height, glyphs)


def _mean(event: TextTraced, cursor: int) -> Line:
    """Return the mean loss up to the cursor; at the end, it is that of the text."""
    bits = sum(_loss_bits(event, target) for target in range(cursor + 1)) / (cursor + 1)
    return _fact("mean", format_bits(bits), " bits" if cursor == len(event.text) else " bits so far")


def _check(event: TextTraced, width: int) -> Picture:
    """Return the loss computed in two ways, and the difference; of equal results, only digits that agree."""
    losses = event.stepwise_loss / log(2), event.sequence_loss / log(2)
    difference = abs(losses[0] - losses[1])
    if difference < _EQUAL_LOSSES:
        decimals = next(
            decimals for decimals in (4, 3, 2, 1, 0) if len({f"{loss:.{decimals}f}" for loss in losses}) == 1
        )
        comparison = f"they differ by less than {_EQUAL_LOSSES:.5f}"
    else:
        decimals, comparison = 6, f"they differ by {difference:.6f}"
    stepwise, at_once = (f"{loss:.{decimals}f}" for loss in losses)
    return wrapped(f"one at a time {stepwise}, at once {at_once} bits; {comparison}", width, "muted")


def _sizes(event: TextTraced, width: int, glyphs: Glyphs) -> Picture:
    """Return the scales of the strips, and what a cell of them and the mark of a bar stand for."""
    layer = f", layer {event.layer + 1} of {event.num_layers}" if event.num_layers > 1 else ""
    strips = (
        ("embed", event.embedding_bands, f"{event.embedding_size} numbers"),
        ("state", event.hidden_bands, f"{event.hidden_size} units{layer}"),
    )
    scales = (
        (Span(f"{name} ", "muted"), *_scale(bands, glyphs), Span(f" {size}", "muted")) for name, bands, size in strips
    )
    words = ("a cell is a mean", f"{glyphs.mark} the true next character")
    return flowed((*scales, *((Span(each, "muted"),) for each in words)), width)


def _scale(rows: Bands, glyphs: Glyphs) -> Line:
    return scale_spans(f"{-largest(rows):.2f}", f"{largest(rows):.2f}", glyphs, is_signed=True)
