"""The cells of an Excel sheet as texts: strings, numbers, and dates, which are numbers with a date's format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from engine.corpus.readers.tables.excel_xml import Attributes, PartParser, unescaped

MAX_COLUMNS = 16_384

_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
"""Numbers of the format's built-in formats of dates and times, those for East Asia included."""
_NOT_IN_DATES = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.')
_DATE_LETTERS = re.compile("[dmyhs]", re.IGNORECASE)
_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001  # Excel has no time zones
_FALSE_LEAP_DAY = 60
"""Excel counts 29 February 1900, which did not exist."""


class Styles(PartParser):
    """Which styles of cells are dates."""

    def __init__(self) -> None:
        super().__init__()
        self.are_dates: list[bool] = []
        """By the index of the style."""
        self._custom: dict[int, bool] = {}
        self._is_in_cells = False

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Add a format or a style."""
        if name == "numFmt":
            code = _NOT_IN_DATES.sub("", attributes.get("formatCode", "").partition(";")[0])
            self._custom[int(attributes.get("numFmtId", -1))] = _DATE_LETTERS.search(code) is not None
        elif name == "cellXfs":
            self._is_in_cells = True
        elif name == "xf" and self._is_in_cells:
            number = int(attributes.get("numFmtId", 0))
            self.are_dates.append(self._custom.get(number, number in _DATE_FORMATS))

    def end(self, name: str, _text: str, /) -> None:
        """Ignore the styles of anything else than cells."""
        self._is_in_cells = self._is_in_cells and name != "cellXfs"


class SheetPart(PartParser):
    """The rows of a sheet, as they are parsed."""

    def __init__(self, texts: Sequence[str], are_dates: Sequence[bool], *, is_1904: bool) -> None:
        """`texts` are the workbook's shared strings, `are_dates` its styles."""
        super().__init__()
        self.ready: list[tuple[int, dict[int, str]]] = []
        """Complete rows that aren't blank: number from 1, and the cells that aren't blank by their column from 0."""
        self._texts, self._are_dates, self._is_1904 = texts, are_dates, is_1904
        self._row, self._column = 0, -1
        self._cells: dict[int, str] = {}
        self._kind, self._style, self._value = "n", 0, ""
        self._is_phonetic = False

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Start a row or a cell."""
        if name == "c":
            reference = attributes.get("r")
            self._column = _column_of(reference.rstrip("0123456789")) if reference else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), int(attributes.get("s", 0))
            self._value = ""
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = -1
            self._cells = {}
        elif name == "rPh":
            self._is_phonetic = True

    def end(self, name: str, text: str, /) -> None:
        """Complete a value, a cell or a row."""
        if name == "v":
            self._value = text
        elif name == "c":
            cell = self._cell_text()
            if cell or self._kind == "e":
                self._cells[self._column] = cell
        elif name == "t" and not self._is_phonetic:
            self._value += text
        elif name == "row" and self._cells:
            self.ready.append((self._row, self._cells))
        elif name == "rPh":
            self._is_phonetic = False

    def _cell_text(self) -> str:
        """Return the text of the current cell. Raises `ValueError` if it is invalid."""
        value = self._value
        match self._kind:
            case "s":
                index = int(value) if value else -1
                return self._texts[index] if 0 <= index < len(self._texts) else ""
            case "str" | "inlineStr":
                return unescaped(value)
            case "e":
                return ""  # the error of a formula, such as #N/A
            case "b":
                return {"0": "FALSE", "1": "TRUE"}.get(value, "")
            case "n" if value and 0 <= self._style < len(self._are_dates) and self._are_dates[self._style]:
                return date_of(float(value), is_1904=self._is_1904) or value
        return value


def date_of(days: float, *, is_1904: bool = False) -> str:
    """Return a date as text: "2021-02-28", "2021-02-28 14:30:00" or "14:30:00"; "" if it is out of range."""
    try:
        moment = (_EPOCH_1904 if is_1904 else _EPOCH) + timedelta(seconds=round(days * 86_400))
        if not is_1904 and 1 <= days < _FALSE_LEAP_DAY:
            moment += timedelta(days=1)
    except (OverflowError, ValueError):
        return ""
    time = f"{moment:%H:%M:%S}"
    if 0 <= days < 1:
        return time
    return f"{moment:%Y-%m-%d}" if time == "00:00:00" else f"{moment:%Y-%m-%d} {time}"


@lru_cache(maxsize=MAX_COLUMNS)
def _column_of(letters: str) -> int:
    """Return the column of "A", "B" ... "XFD", from 0. Raises `ValueError` if there is none."""
    column = 0
    for letter in letters[:4]:
        column = 26 * column + ord(letter) - ord("A") + 1
    if not (letters.isalpha() and letters.isascii() and letters.isupper() and column <= MAX_COLUMNS):
        raise ValueError(f"{letters[:10]} is no column")
    return column - 1
