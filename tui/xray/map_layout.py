"""Where the characters of a map of the embeddings are printed, so that it doesn't jump while training goes on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from msgspec.structs import replace

from engine.protocol.insight import CharPoint, EmbeddingsMapped

CELL_ASPECT = 2.0
"""Height of a terminal's cell divided by its width."""
_MAX_SHIFT_ROWS = 1.5
"""How far a character is moved from its place, at most, if another one is printed there."""
_Offset = tuple[int, int]


@dataclass(frozen=True)
class Placed:
    """A character on the grid."""

    char: str
    row: int
    column: int
    """Of its first cell."""


def aligned(new: EmbeddingsMapped, previous: EmbeddingsMapped | None) -> EmbeddingsMapped:
    """Return `new` with the signs and the order of its axes that bring its characters closest to those of `previous`.

    Principal components have no sign of their own, and two of about equal variance change places.
    """
    if previous is None:
        return new
    before = {point.char: point for point in previous.points}
    pairs = [(point, before[point.char]) for point in new.points if point.char in before]

    def agreement(swaps: bool, sign_x: int, sign_y: int) -> float:  # noqa: FBT001 - called with a product of values
        """Return the sum of the dot products; the squared distances are least where it is greatest."""
        return sum(
            sign_x * (now.y if swaps else now.x) * then.x + sign_y * (now.x if swaps else now.y) * then.y
            for now, then in pairs
        )

    swaps, sign_x, sign_y = max(product((False, True), (1, -1), (1, -1)), key=lambda choice: agreement(*choice))
    shares = new.variance_shares
    return replace(
        new,
        points=tuple(
            CharPoint(
                char=each.char,
                x=sign_x * (each.y if swaps else each.x),
                y=sign_y * (each.x if swaps else each.y),
            )
            for each in new.points
        ),
        variance_shares=(*shares[:2][::-1], *shares[2:]) if swaps else shares,
    )


def placed(points: Sequence[CharPoint], width: int, height: int, cells_of: Callable[[str], int]) -> tuple[Placed, ...]:
    """Return where characters are printed in `width` x `height` cells, those left out that find no room.

    Both axes have the same scale, with cells `CELL_ASPECT` as high as wide. Where two characters coincide, the first,
    more frequent one stays and the other is moved to the nearest free cell.
    """
    to_cell = _projection(points, width, height)
    taken: set[_Offset] = set()
    found = []
    for point in points:
        cells = cells_of(point.char)
        row, column = to_cell(point)
        for shift_rows, shift_columns in _SHIFTS:
            place = row + shift_rows, min(column + shift_columns, width - cells)
            needed = {(place[0], place[1] + number) for number in range(cells)}
            if 0 <= place[0] < height and place[1] >= 0 and not needed & taken:
                taken |= needed
                found.append(Placed(point.char, *place))
                break
    return tuple(found)


def _projection(points: Iterable[CharPoint], width: int, height: int) -> Callable[[CharPoint], _Offset]:
    """Return the function from a point to row and column that centres all points and fits them into the grid."""
    xs, ys = [point.x for point in points], [point.y for point in points]
    scales = [
        cells / (max(values) - min(values))
        for cells, values in (((width - 1) / CELL_ASPECT, xs), (height - 1, ys))
        if max(values) > min(values)
    ]
    rows_per_unit = min(scales, default=0.0)
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2

    def to_cell(point: CharPoint) -> _Offset:
        row = (height - 1) / 2 - rows_per_unit * (point.y - middle_y)
        column = (width - 1) / 2 + rows_per_unit * CELL_ASPECT * (point.x - middle_x)
        return round(row), round(column)

    return to_cell


def _shifts() -> Iterator[_Offset]:
    """Yield the moves by rows and columns, the shortest first."""
    lengths = {
        (rows, columns): (rows**2 + (columns / CELL_ASPECT) ** 2) ** 0.5
        for rows, columns in product(range(-2, 3), range(-4, 5))
    }
    yield from sorted((move for move in lengths if lengths[move] <= _MAX_SHIFT_ROWS), key=lambda move: lengths[move])


_SHIFTS = tuple(_shifts())
