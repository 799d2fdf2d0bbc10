"""View 5: the characters at the places that the first two principal components of their embeddings give them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from engine.protocol.insight import CharPoint, EmbeddingsMapped, MapEmbeddings
from tui.text.cells import cell_len, packed, shown_char
from tui.xray.drawing import GAP, Glyphs, Kind, Line, Picture, Shades, Span, fitted, percent
from tui.xray.state import Answers, Shown, View, XrayState

_HELP = (
    "Each character is printed at the place of its embedding, the row of numbers that stands for it in the model.",
    "Of all directions of that space, the axes are the two along which the characters differ most, by PCA.",
    "Characters that the model treats alike move together while it learns: vowels, digits, capitals.",
    "What is close here may be far apart in the other directions: the sentence gives the share that is seen.",
    "Where two characters coincide, the more frequent one keeps its place. Rare ones hardly move.",
)
_CharClass = Literal["vowels", "consonants", "capitals", "digits", "punctuation", "other"]
_CHAR_CLASSES: tuple[_CharClass, ...] = get_args(_CharClass)
_STYLES: dict[_CharClass, tuple[Kind, float | None]] = {
    "vowels": ("title", 0.8),
    "consonants": ("text", None),
    "capitals": ("good", None),
    "digits": ("value", -0.8),
    "punctuation": ("bar", None),
    "other": ("muted", None),
}
_VOWELS = frozenset("aeiouæøœıаеёиоуыэюяіїєαεηιουω")
_NUM_DRAWS = 200
_MAX_SHARE_OF_DRAWS = 0.01
"""A class lies together if at most this share of random sets of characters does."""
CELL_ASPECT = 2.0
"""Height of a terminal's cell divided by its width."""
_MAX_SHIFT_ROWS = 1.5
"""How far a character is moved from its place, at most, if another one is printed there."""
_MIN_HEIGHT_WITH_NEAREST, _ROWS_PER_LEGEND_LINE = 8, 5
_MIN_HEIGHT_WITH_AXES, _LINES_OF_AXES, _COLUMNS_OF_AXES = 12, 2, 2
_NUM_NEAREST, _NUM_EXAMPLES, _MAX_NAMED_CLASSES = 5, 3, 2
_Offset = tuple[int, int]
"""Rows and columns."""


@dataclass(frozen=True)
class Placed:
    """A character on the grid."""

    char: str
    row: int
    column: int
    """The column of its first cell."""


def aligned(new: EmbeddingsMapped, previous: EmbeddingsMapped) -> EmbeddingsMapped:
    """Return `new` with the signs and the order of its axes that bring its characters closest to those of `previous`.

    Principal components have no sign of their own, and two of about equal variance change places: without this, the map
    would jump while training goes on.
    """
    before = {point.char: point for point in previous.points}
    pairs = [(point, before[point.char]) for point in new.points if point.char in before]

    def agreement(swaps: bool, sign_x: int, sign_y: int) -> float:  # noqa: FBT001 - called with a product of values
        """Return the sum of the dot products; the squared distances are least where it is greatest."""
        return sum(
            sign_x * (now.y if swaps else now.x) * then.x + sign_y * (now.x if swaps else now.y) * then.y
            for now, then in pairs
        )

    swaps, sign_x, sign_y = max(product((False, True), (1, -1), (1, -1)), key=lambda choice: agreement(*choice))
    places = [(each.y, each.x) if swaps else (each.x, each.y) for each in new.points]
    shares = new.variance_shares
    return replace(
        new,
        points=tuple(
            CharPoint(char=each.char, x=sign_x * x, y=sign_y * y)
            for each, (x, y) in zip(new.points, places, strict=True)
        ),
        variance_shares=(*shares[:2][::-1], *shares[2:]) if swaps else shares,
    )


def placed(points: Sequence[CharPoint], width: int, height: int, cells_of: Callable[[str], int]) -> tuple[Placed, ...]:
    """Return where characters are printed in `width` x `height` cells, those left out that find no room.

    All points are centred. Both axes have the same scale, with cells `CELL_ASPECT` as high as wide. Where two
    characters coincide, the first, more frequent one stays and the other is moved to the nearest free cell.
    """
    xs, ys = [point.x for point in points], [point.y for point in points]
    scales = [
        cells / (max(values) - min(values))
        for cells, values in (((width - 1) / CELL_ASPECT, xs), (height - 1, ys))
        if max(values) > min(values)
    ]
    rows_per_unit = min(scales, default=0.0)
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    taken: set[_Offset] = set()
    found = []
    for point in points:
        cells = cells_of(point.char)
        row = round((height - 1) / 2 - rows_per_unit * (point.y - middle_y))
        column = round((width - 1) / 2 + rows_per_unit * CELL_ASPECT * (point.x - middle_x))
        for shift_rows, shift_columns in _SHIFTS:
            place = row + shift_rows, min(column + shift_columns, width - cells)
            needed = {(place[0], place[1] + number) for number in range(cells)}
            if 0 <= place[0] < height and place[1] >= 0 and not needed & taken:
                taken |= needed
                found.append(Placed(point.char, *place))
                break
    return tuple(found)


def _rows_moved(move: _Offset) -> float:
    return math.hypot(move[0], move[1] / CELL_ASPECT)


_SHIFTS = sorted(
    (move for move in product(range(-2, 3), range(-4, 5)) if _rows_moved(move) <= _MAX_SHIFT_ROWS), key=_rows_moved
)
"""The moves of a character from its place, the shortest first."""


def _render(event: EmbeddingsMapped, char: str, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the map between its axes, the characters nearest to `char` if it is on the map, and the classes."""
    nearest = _nearest(event.points, char, glyphs) if height >= _MIN_HEIGHT_WITH_NEAREST else ()
    num_chars = len(event.points)
    num_lines = min(len(_legend(event.points, num_chars, width, glyphs)), height // _ROWS_PER_LEGEND_LINE)
    num_rows, num_columns = height - len(nearest) - num_lines, width
    has_axes = height >= _MIN_HEIGHT_WITH_AXES
    if has_axes:
        num_rows, num_columns = num_rows - _LINES_OF_AXES, max(num_columns - _COLUMNS_OF_AXES, 1)
    found = placed(event.points, num_columns, num_rows, lambda char: cell_len(glyphs.sign(char)))
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


def _row(chars: Sequence[Placed], char: str, glyphs: Glyphs) -> Iterator[Span]:
    """Yield the characters of a row of the map and the blanks between them."""
    used = 0
    for each in sorted(chars, key=lambda placed: placed.column):
        if each.column > used:
            yield Span(" " * (each.column - used))
        label = glyphs.sign(each.char)
        kind, shade = _STYLES[_class_of(each.char)]
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
    items: list[Line] = [(Span(f"{num_hidden} covered by others", "muted"),)] if num_hidden else []
    for name in _CHAR_CLASSES:
        chars = [point.char for point in points if _class_of(point.char) == name]
        if chars:
            kind, shade = _STYLES[name]
            examples = "".join(glyphs.sign(char) for char in chars[:_NUM_EXAMPLES])
            items.append((Span(examples, kind, shade), Span(f" {name} {len(chars)}", "muted")))
    return tuple(packed(items, width, GAP))


def _class_of(char: str) -> _CharClass:
    """Return the class of a character; letters without case, white space and emoji are `other`."""
    if char.isupper():
        return "capitals"
    if char.islower():
        return "vowels" if unicodedata.normalize("NFD", char)[0] in _VOWELS else "consonants"
    if char.isdecimal():
        return "digits"
    category = unicodedata.category(char)
    return "punctuation" if category[0] == "P" or (category[0] == "S" and char.isascii()) else "other"


@lru_cache(8)
def _close_classes(points: tuple[CharPoint, ...]) -> tuple[tuple[float, _CharClass], ...]:
    """Return the classes that lie closer together than chance, closest first, each after its mean distance.

    That is a share of the mean distance of all characters. Classes of fewer than three characters are left out, and
    `other`. Chance is a permutation test: the characters are drawn `_NUM_DRAWS` times without replacement, always from
    the same seed, and at most 1 % of the draws may lie as close.
    """
    places = np.array([(point.x, point.y) for point in points]).reshape(-1, 2)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)  # (N, N)
    everyone = np.arange(len(points))
    found = []
    for char_class in _CHAR_CLASSES[:-1]:
        members = np.array([number for number, point in enumerate(points) if _class_of(point.char) == char_class])
        if 3 <= len(members) < len(points):
            draws = np.random.default_rng(0).permuted(np.tile(everyone, (_NUM_DRAWS, 1)), axis=1)[:, : len(members)]
            of_class = _mean_distance(members[None], distances)[0]
            mean = float(_mean_distance(everyone[None], distances)[0])
            if (_mean_distance(draws, distances) <= of_class).mean() <= _MAX_SHARE_OF_DRAWS:
                found.append((float(of_class) / mean if mean else 1.0, char_class))
    return tuple(sorted(found, key=lambda each: each[0]))


def _mean_distance(sets: npt.NDArray[np.int64], distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean distance between two different members of each row of `sets`."""
    size = sets.shape[1]
    sums: npt.NDArray[np.float64] = distances[sets[:, :, None], sets[:, None, :]].sum(axis=(1, 2))
    means: npt.NDArray[np.float64] = sums / (size * (size - 1))
    return means


def _sentence(event: EmbeddingsMapped) -> str:
    """Return which classes of characters lie close together, and the share of the variance that is seen."""
    seen = f"the two directions hold {percent(sum(event.variance_shares[:2]))} of the variance"
    near = _close_classes(event.points)[:_MAX_NAMED_CLASSES]
    if not near:
        return f"No class of characters lies closer together than chance; {seen}"
    names = " and ".join(char_class for _, char_class in near)
    ratios = " and ".join(f"{ratio:.1f}" for ratio, _ in near)
    return f"The {names} lie closer together than chance: mean distance {ratios} times that of all; {seen}"


def _show(state: XrayState, answers: Answers, glyphs: Glyphs) -> Shown | None:
    found = answers.latest(MapEmbeddings, EmbeddingsMapped)
    if found is None:
        return None
    mapped = found[1]
    char = state.text[state.cursor - 1] if state.cursor else ""
    shades = None
    if distances := _distances(mapped.points, char):
        farthest = max(distances.values()) or 1.0
        values = (1 - distances[each] / farthest if each in distances else None for each in state.text)
        shades = Shades((None, *values, None), f"near {shown_char(char)} on the map", "farthest", "there")
    return Shown(
        render=lambda width, height: _render(mapped, char, width, height, glyphs),
        sentence=_sentence(mapped),
        weights_step=mapped.weights_step,
        shades=shades,
    )


VIEW = View(name="map", help=_HELP, height=28, asks=lambda _: (MapEmbeddings(),), show=_show)
