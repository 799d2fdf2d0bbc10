"""Decides whether the first record of a table is its header: by a usual name, or because it differs from the others.

In doubt it is no header, so that no tweet is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from engine.corpus.readers.tables.columns import is_number, is_other_name, is_text_name, name_key
from engine.corpus.readers.tables.labels import LABEL_NAMES

_OTHER_NAMES = LABEL_NAMES | {"name", "names", "title", "titles"}
"""Usual names beside those of texts, ids, dates and users."""
_WORD = re.compile(r"[A-Za-z]\w{0,29}", re.ASCII)
_WORDS = re.compile(r"[A-Za-z]\w{0,19}(?:[ ._/-]\w{1,19}){0,3}", re.ASCII)
_VARIABLE = re.compile(r"\S+|[A-Z]\w*(?: [A-Z]\w*){1,3}")
"""`created_at` or "Created At": not the end of a tweet, "what a great time"."""
_LETTER = re.compile(r"[A-Za-z]", re.ASCII)
_MIN_ROWS, _MIN_CATEGORY_ROWS = 3, 20
_MAX_ALIKE_SHARE = 0.02
"""Share of the cells below a name that may look like it, or be unique in a column of categories."""


def is_header(first: Sequence[str], others: Sequence[Sequence[str]], columns: Sequence[str | None] = ()) -> bool:
    """Return whether the first record of a table is a header; `columns` are names that the user gave."""
    folded = [cell.strip().casefold() for cell in first]
    if any(column is not None and column.casefold() in folded for column in columns):
        return True
    if len(first) == 1:
        return is_text_name(first[0]) or folded[0] in _OTHER_NAMES - LABEL_NAMES
    columns_below = list(zip(*(cells for cells in others if len(cells) == len(first)), strict=True)) or [()] * len(
        first
    )
    numbered = [below for cell, below in zip(first, columns_below, strict=True) if is_number(cell)]
    if numbered:  # pandas numbers columns without names
        return _has_usual_name(first, columns_below) and all(
            below and not any(map(is_number, below)) for below in numbered
        )
    if any(below and all(map(is_number, below)) for below in columns_below) or _has_usual_name(first, columns_below):
        return True
    if len(columns_below[0]) < _MIN_ROWS or len(set(folded)) < len(folded):
        return False
    if all(map(_is_above_another_script, first, columns_below)):
        return True
    return all(map(_is_name_of, first, columns_below)) and any(map(_is_far_shorter, first, columns_below))


def _has_usual_name(first: Sequence[str], columns_below: Sequence[Sequence[str]]) -> bool:
    """Return whether a cell is a usual name and hardly occurs below it, as a category would."""
    for index, cell in enumerate(first):
        key = name_key(cell)
        is_other = key in _OTHER_NAMES or (_VARIABLE.fullmatch(cell.strip()) is not None and is_other_name(key))
        if is_other or is_text_name(cell):
            below = columns_below[index]
            if sum(name_key(each) == key for each in below) <= _MAX_ALIKE_SHARE * len(below):
                return True
    return False


def _is_name_of(name: str, below: Sequence[str]) -> bool:
    """Return whether a cell is like the name of a variable, and the cells below it are not, or are categories."""
    name = name.strip()
    kind = next((kind for kind in (_WORD, _WORDS) if kind.fullmatch(name)), None)
    if kind is None:
        return False
    cells = [cell.strip() for cell in below]
    if sum(kind.fullmatch(cell) is not None for cell in cells) <= _MAX_ALIKE_SHARE * len(cells):
        return True
    counts = Counter(map(str.casefold, cells))
    num_unique = sum(count == 1 for count in counts.values())
    is_category = len(cells) >= _MIN_CATEGORY_ROWS and num_unique <= _MAX_ALIKE_SHARE * len(cells)
    return is_category and name.casefold() not in counts


def _is_above_another_script(name: str, below: Sequence[str]) -> bool:
    """Return whether a cell is like the name of a variable, and hardly any of many cells below has such letters."""
    num_alike = sum(_LETTER.search(cell) is not None for cell in below)
    is_name = _WORDS.fullmatch(name.strip()) is not None
    return is_name and len(below) >= _MIN_CATEGORY_ROWS and num_alike <= _MAX_ALIKE_SHARE * len(below)


def _is_far_shorter(name: str, below: Sequence[str]) -> bool:
    """Return whether a name is less than half as long as the mean cell below."""
    return 2 * len(name) * len(below) < sum(map(len, below))
