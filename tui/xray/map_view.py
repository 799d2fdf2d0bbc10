"""View 5: the characters at the places that the first two principal components of their embeddings give them.

See `tui.xray` for the three functions of a view. In place of the cursor they take the character at it, empty for
`<BOS>`. Let `tui.xray.map_layout.aligned` prepare each answer, so that the map does not jump.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from engine.protocol.insight import CharPoint, EmbeddingsMapped
from engine.text import LOST
from tui.text.cells import cell_len, shown_char
from tui.xray.char_classes import CHAR_CLASSES, CharClass, class_of, closeness_of_classes
from tui.xray.glyphs import Glyphs, percent
from tui.xray.layout import fitted, flowed
from tui.xray.map_layout import Placed, placed
from tui.xray.shades import Shades
from tui.xray.spans import Kind, Line, Picture, Span

HELP = (
    "Each character is printed at the place of its embedding, the row of numbers that stands for it in the model.",
    "Of all directions of that space, the axes are the two along which the characters differ most, by PCA.",
    "Characters that the model treats alike move together while it learns: vowels, digits, capitals.",
    "What is close here may be far apart in the other directions: the sentence gives the share that is seen.",
    "Where two characters coincide, the more frequent one keeps its place. Rare ones hardly move.",
)
_STYLES: dict[CharClass, tuple[Kind, float | None]] = {
    "vowels": ("title", 0.8),
    "consonants": ("text", None),
    "capitals": ("good", None),
    "digits": ("value", -0.8),
    "punctuation": ("bar", None),
    "other": ("muted", None),
}
_MIN_HEIGHT_WITH_NEAREST, _ROWS_PER_LEGEND_LINE = 8, 5
_MIN_HEIGHT_WITH_AXES, _LINES_OF_AXES, _COLUMNS_OF_AXES = 12, 2, 2
_NUM_NEAREST, _NUM_EXAMPLES, _MAX_NAMED_CLASSES = 5, 3, 2


def render(event: EmbeddingsMapped, char: str, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the map between its axes, the characters nearest to `char` if it is on the map, and the classes."""
    nearest = _nearest(event.points, char, glyphs) if height >= _MIN_HEIGHT_WITH_NEAREST else ()
    num_chars = len(event.points)
    num_lines = min(len(_legend(event.points, num_chars, width, glyphs)), height // _ROWS_PER_LEGEND_LINE)
    num_rows, num_columns = height - len(nearest) - num_lines, width
    has_axes = height >= _MIN_HEIGHT_WITH_AXES
    if has_axes:
        num_rows, num_columns = num_rows - _LINES_OF_AXES, max(num_columns - _COLUMNS_OF_AXES, 1)
    found = placed(event.points, num_columns, num_rows, lambda char: cell_len(_glyph_of(char, glyphs)))
    rows = tuple(tuple(_row([each for each in found if each.row == row], char, glyphs)) for row in range(num_rows))
    shown = _between_axes(rows, event.variance_shares, width, glyphs) if has_axes else rows
    legend = _legend(event.points, num_chars - len(found), width, glyphs)[:num_lines]
    return fitted((*shown, *nearest, *legend), width, height, glyphs)


def _between_axes(rows: Picture, variance_shares: Sequence[float], width: int, glyphs: Glyphs) -> Picture:
    """Return the rows of the map right of one axis and above the other, each with the variance along it."""
    across, up = (f"component: {percent(share)} of the variance" for share in (*variance_shares, 0.0)[:2])
    rule = glyphs.rule * (width - len(f"{glyphs.corner} {across} {glyphs.mark}"))
    return (
        (Span(f"{glyphs.cursor} {up}", "muted"),),
        *((Span(glyphs.boundary.ljust(_COLUMNS_OF_AXES), "muted"), *row) for row in rows),
        (Span(f"{glyphs.corner}{rule} {across} {glyphs.mark}", "muted"),),
    )


def shades(event: EmbeddingsMapped, text: str, char: str) -> Shades | None:
    """Return how near each character of `text` is to `char`; None if that is not on the map."""
    distances = _distances(event.points, char)
    if not distances:
        return None
    farthest = max(distances.values()) or 1.0
    values = (1 - distances[each] / farthest if each in distances else None for each in text)
    return Shades((None, *values, None), f"near {shown_char(char)} on the map", "farthest", "there")


def sentence(event: EmbeddingsMapped) -> str:
    """Return which classes of characters lie close together, and the share of the variance that is seen."""
    seen = f"the two directions hold {percent(sum(event.variance_shares[:2]))} of the variance"
    near = [each for each in closeness_of_classes(event.points) if each.is_closer_than_chance][:_MAX_NAMED_CLASSES]
    if not near:
        return f"No class of characters lies closer together than chance; {seen}"
    names = _listed([each.char_class for each in near])
    ratios = _listed([f"{each.distance_ratio:.1f}" for each in near])
    return f"The {names} lie closer together than chance: mean distance {ratios} times that of all; {seen}"


def _listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: "a, b and c"."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _glyph_of(char: str, glyphs: Glyphs) -> str:
    """Return a character in one or two cells."""
    label = glyphs.label(char)
    return label if len(label) == 1 else LOST


def _row(chars: Sequence[Placed], char: str, glyphs: Glyphs) -> Iterator[Span]:
    """Yield the characters of a row of the map and the blanks between them."""
    used = 0
    for each in sorted(chars, key=lambda placed: placed.column):
        if each.column > used:
            yield Span(" " * (each.column - used))
        label = _glyph_of(each.char, glyphs)
        kind, shade = _STYLES[class_of(each.char)]
        yield Span(label, "cursor") if each.char == char else Span(label, kind, shade)
        used = each.column + cell_len(label)


def _distances(points: Sequence[CharPoint], char: str) -> dict[str, float]:
    """Return the distance of every character from `char`, which is included; empty if that is not on the map."""
    here = next((point for point in points if point.char == char), None)
    return {} if here is None else {each.char: math.dist((each.x, each.y), (here.x, here.y)) for each in points}


def _nearest(points: Sequence[CharPoint], char: str, glyphs: Glyphs) -> Picture:
    """Return a line with the characters nearest to `char`; no line if it is not on the map."""
    distances = _distances(points, char)
    if len(distances) < 3:
        return ()
    mean = sum(distances.values()) / (len(distances) - 1) or 1.0
    nearest = sorted(distances.keys() - {char}, key=lambda each: (distances[each], each))[:_NUM_NEAREST]
    found = ", ".join(f"{glyphs.name(each)} {distances[each] / mean:.2f}" for each in nearest)
    return ((Span(f"nearest to {glyphs.name(char)} (1: mean): ", "muted"), Span(found)),)


def _legend(points: Sequence[CharPoint], num_hidden: int, width: int, glyphs: Glyphs) -> Picture:
    """Return lines with examples of each class, and the number of characters without room on the map."""
    members = {name: [point.char for point in points if class_of(point.char) == name] for name in CHAR_CLASSES}
    items: list[Line] = [(Span(f"{num_hidden} covered by others", "muted"),)] if num_hidden else []
    for name, chars in members.items():
        if chars:
            kind, shade = _STYLES[name]
            examples = "".join(_glyph_of(char, glyphs) for char in chars[:_NUM_EXAMPLES])
            items.append((Span(examples, kind, shade), Span(f" {name} {len(chars)}", "muted")))
    return flowed(items, width)
