"""A tweet as ids and one-hot rows."""

from __future__ import annotations

from collections.abc import Sequence

from engine.corpus.report import counted
from engine.model.vocab import BOS, EOS, SPECIALS, UNK
from tui.text.cells import set_cell_size
from tui.xray.drawing import Glyphs, Kind, Line, Picture, Span, fitted

_SYMBOL_CELLS, _ID_CELLS = 6, 5
_MIN_COLUMNS = 8
_BEYOND_CELLS = 12
"""For the column of a 1 that is right of the window."""


def chars_picture(
    text: str, token_ids: Sequence[int], vocab_size: int, width: int, height: int, glyphs: Glyphs
) -> Picture:
    """Return one row per symbol of a tweet: symbol, id, the first columns of its one-hot row.

    `token_ids` are those of the characters. Where rows are missing, those of the first characters are left out.
    """
    rows = [("<BOS>", BOS), *zip(map(glyphs.label, text), token_ids, strict=False), ("<EOS>", EOS)]
    room = height - 2
    num_columns = max(min(width - _SYMBOL_CELLS - _ID_CELLS - _BEYOND_CELLS, vocab_size), _MIN_COLUMNS)
    lines = [_heading(num_columns, vocab_size)]
    if len(rows) > room > 2:
        lines += [_row(*rows[0], num_columns, glyphs), (Span(f"{glyphs.ellipsis}", "muted"),)]
        rows = rows[-(room - 2) :]
    lines += [_row(symbol, token_id, num_columns, glyphs) for symbol, token_id in rows]
    return fitted((*lines, _sentence(token_ids, vocab_size)), width, height, glyphs)


def _heading(num_columns: int, vocab_size: int) -> Line:
    title = f"one-hot row: columns 0 to {num_columns - 1} of V = {vocab_size}"
    return (
        Span("symbol".ljust(_SYMBOL_CELLS), "muted"),
        Span("id".rjust(_ID_CELLS - 1) + " ", "muted"),
        Span(title, "muted"),
    )


def _row(symbol: str, token_id: int, num_columns: int, glyphs: Glyphs) -> Line:
    name = set_cell_size(symbol, _SYMBOL_CELLS)
    number = Span(f"{token_id:>{_ID_CELLS - 1}} ", "value")
    zero = "." if glyphs.part.isascii() else "·"
    kind: Kind = "problem" if token_id == UNK else "good"
    first = Span(name, "problem" if token_id == UNK else "text")
    if token_id >= num_columns:
        return (first, number, Span(zero * num_columns, "muted"), Span(f" 1 in {token_id}", kind))
    zeros = Span(zero * token_id, "muted"), Span(zero * (num_columns - token_id - 1), "muted")
    return (first, number, zeros[0], Span("1", kind, shade=1.0), zeros[1])


def _sentence(token_ids: Sequence[int], vocab_size: int) -> Line:
    num_unknown = sum(token_id == UNK for token_id in token_ids)
    unknown = f", {num_unknown} of them {SPECIALS[UNK]}" if num_unknown else ""
    num_inputs = len(token_ids) + 1
    inputs = counted(num_inputs, "input")
    return (Span(f"{inputs} from <BOS> on{unknown}: a matrix of {num_inputs} x {vocab_size}", "title"),)
