"""The batch of a training step as a grid: a tweet per row, a time step per column, padding dark. Pure.

The grid is the tutorial's array: `<BOS>`, the characters, `<EOS>`, padding. Its inputs are all columns but the last;
its targets are all but the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from engine.model.vocab import EOS, SPECIALS, UNK
from engine.protocol.insight import BatchRow, BatchShown
from engine.text import LOST
from tui.text.cells import cell_len
from tui.xray.drawing import Glyphs, Line, Picture, Span, fitted, percent, wrapped

HELP = (
    "A row is a tweet of the batch, a column a time step: all tweets of a batch pass through the network side by side.",
    "The first column is <BOS>, the first input; <EOS> ends each tweet and is its last target.",
    "What follows <EOS> is padding up to the longest tweet: it is computed, but counts in no loss.",
    "Inputs are all columns but the last, targets all but the first: each step predicts the next column.",
    "Tweets of about the same length share a batch, so little is padding. The ids of one are below the grid.",
)
_SIGNS = "{bos} is <BOS>, {eos} <EOS>, {padding} padding; {wide} stands for a character of two cells, such as an emoji."
MAX_ROW_CHARS = 300
"""The engine cuts longer tweets of a batch; one this long may have been cut."""
CHAR_SHADE = 0.3
"""Characters are lighter than padding."""
_NUMBER_CELLS = 4
_RULER_STEP = 10
_LINES_BELOW = 3
_MIN_HEIGHT_WITH_LEGEND = 8


def explanation(glyphs: Glyphs) -> tuple[str, ...]:
    """Return `HELP` and what the glyphs of the grid stand for."""
    signs = _SIGNS.format(bos=glyphs.bos, eos=glyphs.eos, padding=glyphs.padding, wide=glyphs.wide)
    return (*HELP, signs)


def batch_picture(
    shown: BatchShown,
    *,
    width: int,
    height: int,
    glyphs: Glyphs,
    first_row: int = 0,
    first_column: int = 0,
    selected: int = 0,
) -> Picture:
    """Return shapes, the rows from `first_row` on, shares of padding, the token ids of row `selected`, and a legend."""
    above, ids = _shapes(shown, width), _ids(shown, selected, first_column, width, glyphs)
    legend = (_legend(glyphs),) if height >= _MIN_HEIGHT_WITH_LEGEND else ()
    below = (_padding(shown, width), *ids, *legend)
    num_rows = max(height - len(above) - len(below) - 1, 1)
    columns = range(first_column, min(first_column + max(width - _NUMBER_CELLS, 0), shown.num_columns + 1))
    grid = (
        (
            _number(number, glyphs, is_selected=number == selected),
            *_grid_line(row_cells(row, shown.num_columns, glyphs)[columns.start : columns.stop], glyphs),
        )
        for number, row in enumerate(shown.rows[first_row:][:num_rows], first_row)
    )
    return fitted((*above, _ruler(columns), *grid, *below), width, height, glyphs)


def grid_lines(shown: BatchShown, width: int, height: int) -> range:
    """Return the lines of the picture in which rows of the grid are drawn."""
    first = len(_shapes(shown, width)) + 1
    num_below = _LINES_BELOW + (height >= _MIN_HEIGHT_WITH_LEGEND)
    return range(first, max(height - num_below, first + 1))


def last_first_column(shown: BatchShown, width: int) -> int:
    """Return the column from which on the grid reaches exactly to the end of the longest tweet."""
    return max(shown.num_columns + 1 - max(width - _NUMBER_CELLS, 0), 0)


def row_cells(row: BatchRow, num_columns: int, glyphs: Glyphs) -> list[Span]:
    """Return a span per column of a row: `<BOS>`, characters, `<EOS>`, padding; an ellipsis where the row is cut.

    A space is blank, since padding has a glyph.
    """
    chars = [
        Span(LOST, "problem", CHAR_SHADE)
        if token_id == UNK
        else Span(char if char == " " else glyphs.sign(char), "text", CHAR_SHADE)
        for char, token_id in zip(row.text.ljust(len(row.token_ids), LOST), row.token_ids[1:], strict=False)
    ]
    num_padding = num_columns - len(chars) - 1
    bos = Span(glyphs.bos, "value", CHAR_SHADE)
    if num_padding and len(chars) >= MAX_ROW_CHARS:
        return [bos, *chars, *[Span(glyphs.ellipsis, "muted")] * (num_padding + 1)]
    return [bos, *chars, Span(glyphs.eos, "value", CHAR_SHADE), *[Span(glyphs.padding, "muted")] * num_padding]


def _grid_line(symbols: Sequence[Span], glyphs: Glyphs) -> Iterator[Span]:
    """Yield the symbols of a row, those in the same style as one span; a wide character would shift all after it."""
    cells = (each if cell_len(each.text) == 1 else replace(each, text=glyphs.wide, style="value") for each in symbols)
    for (style, shade), alike in groupby(cells, key=lambda cell: (cell.style, cell.shade)):
        yield Span("".join(cell.text for cell in alike), style, shade)


def _number(row: int, glyphs: Glyphs, *, is_selected: bool) -> Span:
    """Return the number of a row, counted from 1, and a mark if it is selected."""
    number = f"{glyphs.mark if is_selected else ' '}{row + 1:>{_NUMBER_CELLS - 2}} "
    return Span(number, "cursor" if is_selected else "muted")


def _ruler(columns: range) -> Line:
    """Return a line with the number of every tenth time step above its column."""
    ruler = " " * _NUMBER_CELLS
    for column in columns:
        if column % _RULER_STEP == 0 and column + len(str(column)) <= columns.stop:
            ruler = ruler.ljust(_NUMBER_CELLS + column - columns.start) + str(column)
    return (Span(ruler, "muted"),)


def _shapes(shown: BatchShown, width: int) -> Picture:
    """Return the shapes of the step's tensors, and what their letters stand for if that fits on the line."""
    tweets, steps, symbols = shown.num_tweets, shown.num_columns, shown.vocab_size
    shapes = f"inputs (B {tweets}, T {steps}), targets ({tweets}, {steps}), logits ({tweets}, {steps}, {symbols})"
    legend = f": B tweets, T time steps, {symbols - len(SPECIALS)} characters + {len(SPECIALS)} special"
    if len(shapes) + len(legend) <= width:
        return ((Span(shapes, "value"), Span(legend, "muted")),)
    return wrapped(shapes, width, "value")


def _ids(shown: BatchShown, selected: int, first_column: int, width: int, glyphs: Glyphs) -> Picture:
    """Return the selected tweet from a column on, and below each symbol its token id."""
    if selected >= len(shown.rows):
        return ()
    row = shown.rows[selected]
    symbols = row_cells(row, len(row.text) + 1, glyphs)[first_column:]
    token_ids = (*row.token_ids, EOS)[first_column:]
    cells = len(str(shown.vocab_size - 1)) + 1
    heading = f"tweet {selected + 1} "
    pairs = list(zip(symbols, token_ids, strict=False))[: max((width - len(heading)) // cells, 0)]
    symbols_shown = (Span(" " * (cells - cell_len(each.text)) + each.text, each.style) for each, _ in pairs)
    return (
        (Span(heading, "title"), *symbols_shown),
        (Span("ids".ljust(len(heading)), "title"), *(Span(f"{token_id:>{cells}}") for _, token_id in pairs)),
    )


def _padding(shown: BatchShown, width: int) -> Line:
    """Return the shares of padding, in as many words as fit on a line."""
    of_batch = percent(1.0 - shown.num_targets / (shown.num_tweets * shown.num_columns))
    in_order, shuffled = percent(shown.sorted_padding), percent(shown.shuffled_padding)
    texts = (
        f"padding: {of_batch} of this batch; over an epoch {in_order} sorted by length, {shuffled} shuffled",
        f"padding: {of_batch} here; over an epoch {in_order} sorted, {shuffled} shuffled",
        f"padding {of_batch}, epoch {in_order}, shuffled {shuffled}",
    )
    return (Span(next((text for text in texts if len(text) <= width), texts[-1]), "muted"),)


def _legend(glyphs: Glyphs) -> Line:
    """Return what the glyphs of the grid stand for."""
    meanings = {glyphs.bos: "<BOS>", glyphs.eos: "<EOS>", glyphs.padding: "padding", glyphs.wide: "wide character"}
    return (Span("  ".join(f"{glyph} {meaning}" for glyph, meaning in meanings.items()), "muted"),)
