"""Excel workbooks (.xlsx, .xlsm), read by `openpyxl`: one column of the sheet with the most text, as in CSV.

The rows of a sheet are streamed; the workbook's table of texts is in memory. `BoundedArchive` is what the library reads
from: it bounds the memory of a workbook that is too large or hostile.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from engine.config.corpus import CorpusConfig
from engine.corpus.files.decompress import DECOMPRESSION_ERRORS
from engine.corpus.files.office import EXCEL, document_of
from engine.corpus.readers.tables.bounded_archive import BoundedArchive
from engine.corpus.readers.tables.columns import is_number
from engine.corpus.readers.tables.held_file import held
from engine.corpus.readers.tables.table_header import is_header
from engine.corpus.readers.tables.table_layout import find_layout
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError
from engine.text import harmless

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

MAX_SHEETS = 1000
MAX_ROWS = 1_048_576
"""As in Excel. The library fills a gap before a row with empty rows, however long it is."""
ABOVE_THE_HEADER = "above the header"
_SAMPLE_ROWS = 1000
_MAX_TITLES = 10
_MAX_NAMES = 3
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""The format's escape of a control character; `_x000D_` is the line break of Windows."""
_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})
"""Results of formulas that failed."""
_LIBRARY_ERRORS = (
    *DECOMPRESSION_ERRORS,
    ArithmeticError,
    AttributeError,
    LookupError,
    SyntaxError,  # invalid XML
    TypeError,
    NotImplementedError,
)
"""The exceptions of `openpyxl` on damaged workbooks."""


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as an Excel workbook."""
    return document_of(head) is EXCEL


def excel_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per row of the sheet that isn't blank; columns and labels are chosen as in CSV.

    Raises `CorpusError` if there is no such column, the file is damaged or too large, or `openpyxl` is not installed.
    """
    archive = BoundedArchive(file if file.seekable() else io.BytesIO(held(file, source)), source)
    sheet = _sheet_with_most_text(_visible_sheets(archive, source), archive, source)
    head = _sample(sheet, source)
    if not head:
        return
    width = max((column for _, fields in head for column, text in enumerate(fields, start=1) if text), default=0)
    sample = [_resized(fields, width) for _, fields in head]
    num_titles = _num_titles(sample, config)
    for number, fields in head[:num_titles]:
        yield DroppedRow(ABOVE_THE_HEADER, example(f"row {number}", " ".join(filter(None, fields))))
    layout = find_layout(sample[num_titles:], source, config, num_columns=width)
    records = (
        (number, _resized(fields, width)) for number, fields in islice(_records(sheet, source), num_titles, None)
    )
    yield from layout.rows(records, place="row", delimiter=" ")


def _visible_sheets(archive: BoundedArchive, source: Source) -> list[Worksheet]:
    """Open the workbook. Raises `CorpusError`."""
    try:
        from openpyxl.reader.excel import ExcelReader
    except ImportError as error:
        raise CorpusError(
            f"{source.name} is an Excel workbook, and the package openpyxl is not installed.",
            "Install it in the program's environment: pip install openpyxl, or save the sheet as CSV.",
        ) from error
    with _errors_reported(source):
        reader = ExcelReader(archive.file, read_only=True, data_only=True, keep_links=False)
        reader.archive = cast("Any", archive)  # has those of the methods of `ZipFile` that the library calls
        with redirect_stdout(io.StringIO()):  # openpyxl 3.1 prints that a style is out of range
            reader.read()
        sheets: list[Any] = [each for each in reader.wb.worksheets if each.sheet_state == "visible"]
        if not 0 < len(sheets) <= MAX_SHEETS:
            raise ValueError("it has too many sheets" if sheets else "it has no visible sheet")
        for sheet in sheets:
            sheet.reset_dimensions()  # written by the program that made the file, and often wrong
        return sheets


def _sheet_with_most_text(sheets: Sequence[Worksheet], archive: BoundedArchive, source: Source) -> Worksheet:
    """Return the sheet with the most text, the first of equals, and note it if there are several.

    The text of a long sheet is estimated from its first rows and its size.
    """
    if len(sheets) == 1:
        return sheets[0]

    def estimated_chars(sheet: Worksheet) -> float:
        texts = (text for _, fields in _sample(sheet, source) for text in fields)
        return sum(len(text) for text in texts if not is_number(text)) / archive.share_read

    best = max(sheets, key=estimated_chars)
    others = [harmless(sheet.title, 30) for sheet in sheets if sheet is not best]
    more = f" and {len(others) - _MAX_NAMES:,} more" if len(others) > _MAX_NAMES else ""
    shown = ", ".join(others[:_MAX_NAMES]) + more
    source.notes.append(f"sheet {harmless(best.title, 30)}, which has the most text; not read: {shown}")
    return best


def _sample(sheet: Worksheet, source: Source) -> list[tuple[int, list[str]]]:
    """Return the first records."""
    return list(islice(_records(sheet, source), _SAMPLE_ROWS))


def _records(sheet: Worksheet, source: Source) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each row that isn't blank, up to the last cell that is set. Raises `CorpusError`."""
    with _errors_reported(source):
        for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number > MAX_ROWS:
                raise ValueError(f"it has over {MAX_ROWS:,} rows")
            fields = list(map(_text, values))
            if any(fields):
                yield number, fields


def _resized(fields: list[str], width: int) -> list[str]:
    """Return the cells of a row for a table of this width."""
    return fields if len(fields) == width else [*fields[:width], *[""] * (width - len(fields))]


def _text(value: object) -> str:
    """Return the text of a cell: "" for an error, a date without its time if that is midnight."""
    if value is None or value in _ERRORS:
        return ""
    if isinstance(value, str):
        return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value) if "_x" in value else value
    return str(value).removesuffix(" 00:00:00")


def _num_titles(sample: Sequence[list[str]], config: CorpusConfig) -> int:
    """Return the number of rows of a single cell above the header, such as a title."""
    for number, fields in enumerate(sample[:_MAX_TITLES]):
        if sum(map(bool, fields)) > 1:
            columns = (config.column, config.label_column)
            return number if number and is_header(fields, sample[number + 1 :], columns) else 0
    return 0


@contextmanager
def _errors_reported(source: Source) -> Iterator[None]:
    """Convert the exceptions on a damaged workbook to a `CorpusError`, and silence the library's warnings."""
    warnings.filterwarnings("ignore", module="openpyxl")  # `catch_warnings` would also be active where rows are used
    try:
        yield
    except _LIBRARY_ERRORS as error:
        reason = error.__cause__ or error
        cause = harmless(str(reason).partition("\n")[0].strip("'\"").rstrip("."), 100) or type(reason).__name__
        raise CorpusError(
            f"{source.name} can't be read as an Excel workbook: {cause}.", "Open it in Excel and save the sheet as CSV."
        ) from error
