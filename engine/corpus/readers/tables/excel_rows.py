"""Excel workbooks (.xlsx, .xlsm): tweets from one column of the sheet with the most text, as in CSV.

A workbook is a zip archive of XML, of which only a chunk of the sheet and the table of texts are in memory. It is read
without a library: python-calamine allocates a sheet as wide and long as its last cell, 512 GB for a file of 5 KB, which
kills the process, and openpyxl builds whole rows and sheets before a limit could apply.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import BinaryIO, NamedTuple, TypeVar, cast

from engine.config.corpus import CorpusConfig
from engine.corpus.files.decompress import DECOMPRESSION_ERRORS, DecompressionLimit
from engine.corpus.files.office import EXCEL, document_of
from engine.corpus.files.zips import open_zip
from engine.corpus.readers.tables.columns import is_number
from engine.corpus.readers.tables.excel_cells import SheetPart, Styles
from engine.corpus.readers.tables.excel_xml import (
    InvalidPartError,
    PartParser,
    Relationships,
    SharedStrings,
    WorkbookPart,
)
from engine.corpus.readers.tables.held_file import held
from engine.corpus.readers.tables.table_header import is_header
from engine.corpus.readers.tables.table_layout import find_layout
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError
from engine.text import harmless

MAX_STRINGS_BYTES = 256 << 20
"""Limit of the table of texts, which is loaded whole: a million tweets take about 160 MB."""
MAX_SHEETS = 1000
ABOVE_THE_HEADER = "above the header"
_SAMPLE_ROWS = 1000
_MAX_TITLES = 10
_MAX_NAMES = 3

Part = TypeVar("Part", bound=PartParser)


class _Sheet(NamedTuple):
    """A sheet of a workbook."""

    name: str
    part: str


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as an Excel workbook."""
    return document_of(head) is EXCEL


def excel_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per row of the sheet; columns and labels are chosen as in CSV.

    Raises `CorpusError` if there is no such column, or the file is damaged or too large.
    """
    with _errors_reported(source):
        workbook = _Workbook(file, source)
        rows = workbook.rows(workbook.sheet_with_most_text())
        head = list(islice(rows, _SAMPLE_ROWS))
        width = 1 + max((max(cells) for _, cells in head), default=0)
        sample = [_fields(cells, width) for _, cells in head]
        num_titles = _num_titles(sample, config)
        for number, cells in head[:num_titles]:
            yield DroppedRow(ABOVE_THE_HEADER, example(f"row {number}", " ".join(cells.values())))
        layout = find_layout(sample[num_titles:], source, config, num_columns=width)
        records = ((number, _fields(cells, width)) for number, cells in chain(head[num_titles:], rows))
        yield from layout.rows(records, place="row", delimiter=" ")


def _num_titles(sample: Sequence[list[str]], config: CorpusConfig) -> int:
    """Return the number of rows of a single cell above the header, such as a title."""
    for number, fields in enumerate(sample[:_MAX_TITLES]):
        if sum(map(bool, fields)) > 1:
            columns = (config.column, config.label_column)
            return number if number and is_header(fields, sample[number + 1 :], columns) else 0
    return 0


def _fields(cells: dict[int, str], width: int) -> list[str]:
    """Return the cells of a row up to the width of the table."""
    return [cells.get(column, "") for column in range(width)]


@contextmanager
def _errors_reported(source: Source) -> Iterator[None]:
    """Convert the exceptions on a damaged workbook to a `CorpusError`."""
    try:
        yield
    except (InvalidPartError, KeyError, NotImplementedError, *DECOMPRESSION_ERRORS) as error:
        cause = harmless(str(error).strip("'\"").rstrip("."), 100) or type(error).__name__
        raise CorpusError(
            f"{source.name} is a damaged Excel workbook: {cause}.", "Open it in Excel and save the sheet as CSV."
        ) from error


class _Workbook:
    """An open workbook."""

    def __init__(self, file: BinaryIO, source: Source) -> None:
        """Read everything but the sheets."""
        self._source = source
        seekable = file if file.seekable() else io.BytesIO(held(file, source))
        limit = DecompressionLimit(source.name, seekable.seek(0, io.SEEK_END))
        raw = cast("io.RawIOBase", seekable)  # has the methods that `BufferedReader` needs
        self._zip = open_zip(source.name, lambda: io.BufferedReader(raw))
        infos = self._zip.infolist()
        limit.count((0, 0), sum(info.file_size for info in infos))
        self._parts = {info.filename.casefold(): info for info in infos}
        main = self._relationships("").target("officeDocument") or "xl/workbook.xml"
        self._folder, name = posixpath.split(self._path("", main))
        book = self._parsed(WorkbookPart(), f"{self._folder}/{name}")
        self._is_1904 = book.is_1904
        targets = self._relationships(f"{self._folder}/{name}")
        self._texts = self._shared_strings(targets.target("sharedStrings"))
        styles = targets.target("styles")
        self._are_dates = self._parsed(Styles(), self._path(self._folder, styles)).are_dates if styles else []
        self._sheets = [
            _Sheet(sheet, self._path(self._folder, targets.by_id[key][1]))
            for sheet, key in book.sheets
            if targets.by_id.get(key, ("", ""))[0] == "worksheet"
        ]
        if not 0 < len(self._sheets) <= MAX_SHEETS:
            raise InvalidPartError("it has no visible sheet" if not self._sheets else "it has too many sheets")

    def rows(self, sheet: _Sheet) -> Iterator[tuple[int, dict[int, str]]]:
        """Yield number and cells of each row of a sheet."""
        return (row for _, row in self._counted_rows(sheet))

    def sheet_with_most_text(self) -> _Sheet:
        """Return the sheet with the most text, the first by name of equals, and note it if there are several.

        The text of a long sheet is estimated from its first rows and its size.
        """
        if len(self._sheets) == 1:
            return self._sheets[0]
        best = min(self._sheets, key=lambda sheet: (-self._estimated_chars(sheet), sheet.name))
        others = [harmless(sheet.name, 30) for sheet in self._sheets if sheet is not best]
        more = f" and {len(others) - _MAX_NAMES:,} more" if len(others) > _MAX_NAMES else ""
        shown = ", ".join(others[:_MAX_NAMES]) + more
        self._source.notes.append(f"sheet {harmless(best.name, 30)}, which has the most text; not read: {shown}")
        return best

    def _estimated_chars(self, sheet: _Sheet) -> int:
        sample = list(islice(self._counted_rows(sheet), _SAMPLE_ROWS))
        num_chars = sum(len(text) for _, (_, cells) in sample for text in cells.values() if not is_number(text))
        return num_chars * self._info(sheet.part).file_size // sample[-1][0] if sample else 0

    def _counted_rows(self, sheet: _Sheet) -> Iterator[tuple[int, tuple[int, dict[int, str]]]]:
        """Yield the rows of a sheet, each with the number of bytes parsed so far."""
        parser = SheetPart(self._texts, self._are_dates, is_1904=self._is_1904)
        with self._zip.open(self._info(sheet.part)) as part:
            for num_bytes in parser.parse(part):
                for row in parser.ready:
                    yield num_bytes, row
                parser.ready.clear()
        yield from ((num_bytes, row) for row in parser.ready)

    def _shared_strings(self, target: str | None) -> list[str]:
        if target is None:
            return []
        path = self._path(self._folder, target)
        if self._info(path).file_size > MAX_STRINGS_BYTES:
            raise CorpusError(
                f"{self._source.name} has over {MAX_STRINGS_BYTES >> 20} MB of texts, too many for a workbook.",
                "Save the sheet as CSV.",
            )
        return self._parsed(SharedStrings(), path).texts

    def _relationships(self, part: str) -> Relationships:
        """Return the relationships of a part; those of the workbook as a whole for ""."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        return self._parsed(Relationships(), path) if path.casefold() in self._parts else Relationships()

    def _path(self, folder: str, target: str) -> str:
        """Return the path of a relationship's target, which is relative to the part's folder unless it has a slash."""
        return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")

    def _parsed(self, parser: Part, path: str) -> Part:
        """Return a parser that has parsed a part."""
        with self._zip.open(self._info(path)) as part:
            parser.parse_all(part)
        return parser

    def _info(self, path: str) -> zipfile.ZipInfo:
        """Return the entry of a part. Raises `InvalidPartError` if it is missing."""
        if path.casefold() not in self._parts:
            raise InvalidPartError(f"{path} is missing")
        return self._parts[path.casefold()]
