"""View 1: one character at a time, as in training; or beside it the model fed with its own draws."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from math import log

from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS
from engine.protocol.events import CharRead
from engine.protocol.insight import Bands, OwnDraw, TextTraced
from tui.text.cells import cell_len, packed
from tui.text.numbers import format_bits
from tui.xray.drawing import (
    GAP,
    Glyphs,
    Kind,
    Line,
    Picture,
    Shades,
    Span,
    beside,
    chance_of,
    chance_rows,
    fitted,
    percent,
    wrapped,
)
from tui.xray.heat_map import Block, HeatMap, largest, level_spans, pooled, scale_spans, symbols, window
from tui.xray.state import Answers, Shown, View, XrayState, latest_trace, trace_command, unknown_chars

_HELP = (
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
_LONG_LABELS = ("fed the text   ", "fed its draws  ", "")
_SHORT_LABELS = ("text ", "own  ", "")
_LINES_WITH_HEADINGS = 4


def _render(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return what went in at the cursor, the state before and after, and the prediction of the next character.

    Below, where there is room: the hidden state along the text.
    """
    draw = _in_columns if width >= _WIDTH_OF_COLUMNS else _in_one_column
    picture = draw(event, cursor, width, max(height, 0), glyphs)
    states = _states(event, cursor, width, height - len(picture) - 1, glyphs)
    return fitted((*picture, (), *states) if states else picture, width, height, glyphs)


def _in_one_column(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the most important blocks, then further bars in the lines that are left."""
    blocks = _blocks(event, cursor, width, glyphs)
    if event.own is None:
        fewest, most = max(min(_MIN_BARS, height - 1), 0), _MAX_BARS
    else:  # the headings included
        fewest, most = _MIN_BARS + (1 if height >= _LINES_WITH_MORE_BARS else -1), _MAX_BARS + 1
    spare = height - len(_chosen(blocks | {"bars": ((),) * fewest}, height))
    return _chosen(blocks | {"bars": _bars(event, cursor, width, min(fewest + spare, most), glyphs)}, height)


def _in_columns(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return both texts, if there are two; facts on the left and bars on the right; below, what has the whole width."""
    wanted = width // 2 - 1 if event.own is None else max(width // 3, _MIN_FACTS_WIDTH)
    left_width = min(wanted, _MAX_FACTS_WIDTH)
    own = _aligned_runs(event, cursor, width, glyphs)[:height]
    room = min(height - len(own), _MAX_BARS + (event.own is not None))
    elsewhere = dict.fromkeys(("own", *_BELOW_COLUMNS), ())
    left = _chosen(_blocks(event, cursor, left_width, glyphs) | elsewhere, room)
    right = _bars(event, cursor, width - left_width - 2, room, glyphs)
    columns = beside(fitted(left, left_width, room, glyphs), right, left_width)
    blocks = _blocks(event, cursor, width, glyphs)
    below = {name: lines if name in _BELOW_COLUMNS else () for name, lines in blocks.items()}
    return (*own, *columns, *_chosen(below, height - len(own) - len(columns)))


def _chosen(blocks: Mapping[str, Picture], height: int) -> Picture:
    """Return the most important blocks that fit in `height`, in the order of the mapping."""
    names = set()
    for name in _IMPORTANCE:
        if len(blocks[name]) <= height:
            names.add(name)
            height -= len(blocks[name])
    return tuple(line for name, lines in blocks.items() if name in names for line in lines)


def _blocks(event: TextTraced, cursor: int, width: int, glyphs: Glyphs) -> dict[str, Picture]:
    """Return the lines by name, without the bars, in the order in which they are read."""
    char = glyphs.label(event.text[cursor - 1]) if cursor else "<BOS>"
    target = glyphs.label(event.chars[cursor].char) + (" (unknown)" if _is_unknown(event, cursor) else "")
    losses = [_loss_bits(event, each) for each in range(cursor + 1)]
    bits, mean = losses[-1], sum(losses) / len(losses)
    change = event.gates[cursor].hidden_change
    own_states = () if event.own is None else event.own.hidden_bands
    return {
        "own": _aligned_runs(event, cursor, width, glyphs),
        "read": (_fact("read", char, f"  id {event.token_ids[cursor]}, {cursor + 1} of {len(event.token_ids)}"),),
        "embedding": _strip("embed", event.embedding_bands, cursor, width, glyphs),
        "before": _strip("before", event.hidden_bands, cursor, width, glyphs),
        "after": _strip("after", event.hidden_bands, cursor + 1, width, glyphs),
        "own state": _strip("own", own_states, cursor + 1, width, glyphs),
        "change": (_fact("change", f"{change:.2f}", " (root mean square)"),),
        "next": (_fact("next", target, f"  {format_bits(bits)} bits ({percent(chance_of(bits))})"),),
        "bars": (),
        "mean": (_fact("mean", format_bits(mean), " bits" if cursor == len(event.text) else " bits so far"),),
        "check": _check(event, width),
        "sizes": _sizes(event, width, glyphs),
    }


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


def _bars(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the prediction at the cursor; beside own draws, with headings above or, in few lines, before the bars."""
    if event.own is None:
        return chance_rows(event.chars[cursor], width, height, glyphs)
    half = (width - 2) // 2
    own = event.own.chars[cursor] if cursor < len(event.own.chars) else None
    left, right = (
        _labelled_bars(number, read, half, height, glyphs) for number, read in enumerate((event.chars[cursor], own))
    )
    return beside(left, right, half)[: max(height, 0)]


def _labelled_bars(run: int, read: CharRead | None, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the prediction of one of two runs, None after its end, and its label."""
    is_above = height >= _LINES_WITH_HEADINGS
    label_cells = 0 if is_above else len(_SHORT_LABELS[run])
    num_rows = max(height - is_above, 0)
    if read is None:
        rows = wrapped("its text has ended", width - label_cells, "muted")[:num_rows]
    else:
        rows = chance_rows(read, width - label_cells, num_rows, glyphs)
    heading = ((Span((_LONG_LABELS if is_above else _SHORT_LABELS)[run].rstrip(), "muted"),),)
    return (*heading, *rows) if is_above else beside(heading, rows, label_cells, gap=0)


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
    items: list[Line] = []
    for name, bands, size in strips:
        scale = scale_spans(f"{-largest(bands):.2f}", f"{largest(bands):.2f}", glyphs, is_signed=True)
        items.append((Span(f"{name} ", "muted"), *scale, Span(f" {size}", "muted")))
    words = ("a cell is a mean", f"{glyphs.mark} the next character of the text")
    return tuple(packed((*items, *((Span(each, "muted"),) for each in words)), width, GAP))


def _states(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the hidden state after each input, above the text; nothing if there is not room for it.

    In a wide picture each row has its numbers before and after the input at the cursor.
    """
    num_rows = min(height - _LINES_AROUND_STATES, _MAX_ROWS_OF_STATES)
    if num_rows < _MIN_ROWS_OF_STATES:
        return ()
    numbers = event.hidden_bands[cursor : cursor + 2] if width >= _WIDTH_WITH_NUMBERS else ()
    names = ("before", "after")[: len(numbers)]
    heat_map = HeatMap(event.text, cursor, width, glyphs, num_units=event.hidden_size, num_numbers=len(numbers))
    block = Block(bands=event.hidden_bands[1:], letter="h", name="hidden state after each input", is_signed=True)
    heading = heat_map.heading(block, num_rows, names)
    return (heading, *heat_map.rows(block, num_rows, numbers), *heat_map.text())


def _aligned_runs(event: TextTraced, cursor: int, width: int, glyphs: Glyphs) -> Picture:
    """Return both texts, one above the other, around the cursor, and a line with the cursor and where they part.

    Nothing without own draws.
    """
    own = event.own
    if own is None:
        return ()
    labels = _LONG_LABELS if width >= _WIDTH_OF_COLUMNS else _SHORT_LABELS
    label_cells = len(labels[0])
    texts = (symbols(event.text, glyphs), symbols(own.text, glyphs, has_ended=own.reached_eos))
    pairs = list(zip_longest(*texts, fillvalue=""))
    cells = [max(map(cell_len, pair)) for pair in pairs]
    parted = _parting(event.text, own)
    rows: list[list[Span]] = [[Span(label.ljust(label_cells), "muted")] for label in labels]
    for symbol in window(cells, cursor, width - label_cells):
        is_after = parted is not None and symbol > parted
        kinds: tuple[Kind, Kind] = ("text", "bad" if is_after else "text")
        if symbol == cursor:
            kinds = "cursor", "cursor"
        elif symbol <= own.first:
            kinds = "muted", "muted"
        for row, shown, kind in zip(rows, pairs[symbol], kinds, strict=False):
            row.append(Span(shown + " " * (cells[symbol] - cell_len(shown)), kind))
        is_parting = parted is not None and symbol == parted + 1
        mark = glyphs.cursor if symbol == cursor else glyphs.parting if is_parting else " "
        rows[2].append(Span(mark.ljust(cells[symbol]), "title"))
    return tuple(map(tuple, rows))


def _parting(text: str, own: OwnDraw) -> int | None:
    """Return the first target that differs, an end included; None if both are equal."""
    drawn = [*own.text, ""] if own.reached_eos else list(own.text)
    return next(
        (target for target, pair in enumerate(zip([*text, ""], drawn, strict=False)) if len(set(pair)) > 1), None
    )


def _parting_sentence(text: str, own: OwnDraw, glyphs: Glyphs) -> str:
    """Return where the two runs part, and with which characters."""
    target = _parting(text, own)
    if target is None:
        return "Its own draws are the text" if own.reached_eos else "Its own draws are the text so far"
    true, drawn = (glyphs.name((*full, "")[target]) for full in (text, own.text))
    place = f"after character {target}" if target else "at the start"
    return f"The runs part {place}: the text has {true}, the model drew {drawn}"


def _sentence(event: TextTraced, cursor: int, glyphs: Glyphs) -> str:
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
    return predicted if event.own is None else f"{_parting_sentence(event.text, event.own, glyphs)}. {predicted}"


def _is_unknown(event: TextTraced, target: int) -> bool:
    return target < len(event.text) and event.token_ids[target + 1] == UNK


def _loss_bits(event: TextTraced, target: int) -> float:
    """Return what a target adds to the loss."""
    return event.chars[target].bits - (UNKNOWN_CHAR_BITS if _is_unknown(event, target) else 0.0)


def _show(state: XrayState, answers: Answers, glyphs: Glyphs) -> Shown | None:
    traced, cursor = latest_trace(state, answers), state.cursor
    if traced is None:
        return None
    bits = (min(read.bits / _MAX_BITS_SHADED, 1.0) for read in traced.chars)
    return Shown(
        render=lambda width, height: _render(traced, cursor, width, height, glyphs),
        sentence=_sentence(traced, cursor, glyphs),
        weights_step=traced.weights_step,
        shades=Shades((None, *bits), "bits of each character", "0", f"{_MAX_BITS_SHADED} or more"),
        num_layers=traced.num_layers,
        unknown_chars=unknown_chars(traced),
    )


VIEW = View(
    name="step",
    help=_HELP,
    height=22,
    asks=lambda state: (trace_command(state),),
    show=_show,
    keys=frozenset({"own_draws", "redraw"}),
)
