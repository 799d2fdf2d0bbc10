"""Two runs of the model from the same start: fed with the text, and fed with its own draws."""

from __future__ import annotations

from itertools import zip_longest

from engine.protocol.events import CharRead
from engine.protocol.insight import OwnDraw, TextTraced
from tui.text.cells import cell_len
from tui.xray.chance_rows import chance_rows
from tui.xray.columns import symbols, window
from tui.xray.glyphs import Glyphs
from tui.xray.layout import beside, wrapped
from tui.xray.spans import Kind, Picture, Span

_LONG_LABELS = ("fed the text   ", "fed its draws  ", "")
_SHORT_LABELS = ("text ", "own  ", "")
_WIDTH_OF_LONG_LABELS = 64
_LINES_WITH_HEADINGS = 4


def parting(text: str, own: OwnDraw) -> int | None:
    """Return the first target that differs, an end included; None if both are equal."""
    drawn = [*own.text, ""] if own.reached_eos else list(own.text)
    return next(
        (target for target, pair in enumerate(zip([*text, ""], drawn, strict=False)) if len(set(pair)) > 1), None
    )


def parting_sentence(text: str, own: OwnDraw, glyphs: Glyphs) -> str:
    """Return where the two runs part, and with which characters."""
    target = parting(text, own)
    if target is None:
        return "Its own draws are the text" if own.reached_eos else "Its own draws are the text so far"
    true, drawn = (glyphs.name((*full, "")[target]) for full in (text, own.text))
    place = f"after character {target}" if target else "at the start"
    return f"The runs part {place}: the text has {true}, the model drew {drawn}"


def aligned_runs(event: TextTraced, own: OwnDraw, cursor: int, width: int, glyphs: Glyphs) -> Picture:
    """Return both texts, one above the other, around the cursor, and a line with the cursor and where they part."""
    labels = _LONG_LABELS if width >= _WIDTH_OF_LONG_LABELS else _SHORT_LABELS
    label_cells = len(labels[0])
    texts = (symbols(event.text, glyphs), symbols(own.text, glyphs, has_ended=own.reached_eos))
    pairs = list(zip_longest(*texts, fillvalue=""))
    cells = [max(map(cell_len, pair)) for pair in pairs]
    parted = parting(event.text, own)
    visible = window(cells, cursor, width - label_cells)
    rows: list[list[Span]] = [[Span(label.ljust(label_cells), "muted")] for label in labels]
    for symbol in visible:
        for row, shown in zip(rows, pairs[symbol], strict=False):
            kind = _kind(symbol, cursor, own.first, parted, is_own=row is rows[1])
            row.append(Span(shown + " " * (cells[symbol] - cell_len(shown)), kind))
        is_parting = parted is not None and symbol == parted + 1
        mark = glyphs.cursor if symbol == cursor else glyphs.parting if is_parting else " "
        rows[2].append(Span(mark.ljust(cells[symbol]), "title"))
    return tuple(map(tuple, rows))


def _kind(symbol: int, cursor: int, first: int, parted: int | None, *, is_own: bool) -> Kind:
    if symbol == cursor:
        return "cursor"
    if symbol <= first:
        return "muted"
    return "bad" if is_own and parted is not None and symbol > parted else "text"


def both_chances(event: TextTraced, own: OwnDraw, cursor: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the predictions of both runs at the cursor, side by side, with headings above or, in few lines, before."""
    half = (width - 2) // 2
    labels = _LONG_LABELS if height >= _LINES_WITH_HEADINGS else _SHORT_LABELS
    left = _chances_of(labels[0], event.chars[cursor], half, height, glyphs)
    read = own.chars[cursor] if cursor < len(own.chars) else None
    return beside(left, _chances_of(labels[1], read, half, height, glyphs), half)[: max(height, 0)]


def _chances_of(label: str, read: CharRead | None, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the predictions of one run, None after its end, and its label."""
    is_above = label in _LONG_LABELS
    label_cells = 0 if is_above else len(label)
    num_rows = max(height - is_above, 0)
    if read is None:
        rows = wrapped("its text has ended", width - label_cells, "muted")[:num_rows]
    else:
        rows = chance_rows(read, width - label_cells, num_rows, glyphs)
    heading = ((Span(label.rstrip(), "muted"),),)
    return (*heading, *rows) if is_above else beside(heading, rows, label_cells, gap=0)
