"""Parquet, read by `pyarrow`: tweets from one column, detected or set by --column, filtered by label.

A seekable file is never in memory beyond a batch of the required columns. A file in an archive or pipe is loaded whole,
up to a limit, since Parquet's index is at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING, BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.tables.labels import FEELINGS, LABEL_NAMES, POLARITIES, LabelRule, label_of
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError
from engine.text import harmless

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

MAX_HELD_BYTES = 1 << 30
"""Limit of a file that can't seek, which is loaded whole."""
MAX_GROUP_BYTES = 2 << 30
"""Limit of a row group, decompressed: the number of its pages is unknown."""

_MAGIC = b"PAR1"
_BATCH_ROWS = 1000
_BUFFER_BYTES = 1 << 20


def looks_like(head: bytes) -> bool:
    """Return whether a file has the first bytes of Parquet."""
    return head.startswith(_MAGIC)


def parquet_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per row of the table.

    The text is in `config.column` (a name, or a number from 1), or else in the text column with the greatest mean
    length in the first rows. Raises `CorpusError` if there is no such column, the file is damaged, or `pyarrow` is not
    installed.
    """
    with _errors_reported(source):
        table = _opened(file, source)
        names = _text_columns(table, source, config.column)
        label_name = _label_column(table, names)
        _refuse_huge(table, source)
        label_names = [label_name] if label_name else []
        first = next(table.iter_batches(_BATCH_ROWS, columns=names + label_names, use_threads=False), None)
        if first is None:
            return
        name = names[0] if config.column else _longest(first, names)
        number = table.schema_arrow.names.index(name) + 1
        source.notes.append(f"text in column {number} ({harmless(name, 30)}){'' if config.column else ': the longest'}")
        rule = _label_rule(first, label_name, source, config) if label_name and label_name != name else None
        num_rows = 0
        columns = [name, label_name] if rule else [name]
        for batch in table.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
            labels = _values(batch.column(label_name)) if rule else [None] * batch.num_rows
            for value, label in zip(_values(batch.column(name)), labels, strict=True):
                num_rows += 1
                yield _row(value, label, rule, f"row {num_rows:,}")


def _row(value: object, label: object, rule: LabelRule | None, where: str) -> Row:
    """Return the text of a row, or why it is dropped."""
    if rule and (reason := rule.reason_to_drop("" if label is None else str(label))):
        return DroppedRow(reason, example(where, str(value)[:200]))
    if value is None:
        return DroppedRow("empty", example(where, "null"))
    return value if isinstance(value, str) else DroppedRow("not a text", example(where, str(value)[:200]))


@contextmanager
def _errors_reported(source: Source) -> Iterator[None]:
    """Convert a missing `pyarrow`, and its exceptions on a damaged file, to a `CorpusError`."""
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise CorpusError(
            f"{source.name} is Parquet, and the package pyarrow is not installed.",
            "Install it in the program's environment: pip install pyarrow",
        ) from error
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, NotImplementedError, MemoryError) as error:
        cause = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise CorpusError(
            f"{source.name} is a damaged Parquet file: {harmless(cause, 200)}.", "Download it again, or save it as CSV."
        ) from error


def _opened(file: BinaryIO, source: Source) -> pq.ParquetFile:
    """Open the table of a file."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    if file.seekable():
        return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    held = bytearray()
    while block := file.read(1 << 20):
        held += block
        if len(held) > MAX_HELD_BYTES:
            raise CorpusError(f"{source.name} is too large to be read inside an archive.", "Extract it first.")
    return pq.ParquetFile(pa.BufferReader(pa.py_buffer(held)))


def _is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type may contain texts."""
    import pyarrow as pa
    from pyarrow import types

    kind = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_binary, types.is_large_binary)
    return any(test(kind) for test in tests)


def _text_columns(table: pq.ParquetFile, source: Source, column: str | None) -> list[str]:
    """Return the column of --column alone, or all text columns."""
    schema = table.schema_arrow
    shown = ", ".join(harmless(name, 30) for name in schema.names[:12]) or "none"
    if column is None:
        names = [field.name for field in schema if _is_text(field.type) and schema.names.count(field.name) == 1]
        if not names:
            raise CorpusError(f"{source.name} has no text column.", f"Its columns are: {shown}.")
        return names
    folded = [name.casefold() for name in schema.names]
    if column in schema.names:
        index = schema.names.index(column)
    elif column.casefold() in folded:
        index = folded.index(column.casefold())
    elif column.isascii() and column.isdecimal() and len(column) < 10 and 1 <= int(column) <= len(folded):
        index = int(column) - 1
    else:
        raise CorpusError(
            f"{source.name} has no column {column}.", f"Its columns are: {shown}. Column numbers start at 1."
        )
    name = schema.names[index]
    if schema.names.count(name) > 1:
        raise CorpusError(f"{source.name} has several columns called {name}.", "Rename them, or save it as CSV.")
    return [name]


def _label_column(table: pq.ParquetFile, text_columns: list[str]) -> str:
    """Return the column with the name of a label column, or ""."""
    names = table.schema_arrow.names
    labels = [name for name in names if name.casefold() in LABEL_NAMES and names.count(name) == 1]
    return next((name for name in labels if [name] != text_columns), "")


def _label_rule(first: pa.RecordBatch, name: str, source: Source, config: CorpusConfig) -> LabelRule | None:
    """Return the rule of --label; None if the column has other values than polarities."""
    seen = {label_of(str(value)) for value in _values(first.column(name)) if value is not None} - {""}
    is_value_wanted = config.label.casefold() not in FEELINGS
    if not (seen <= POLARITIES or is_value_wanted):
        return None
    rule = LabelRule.for_file(config.label, seen)
    source.notes.append(f"labels in column {harmless(name, 30)}: {rule.note()}")
    return rule


def _refuse_huge(table: pq.ParquetFile, source: Source) -> None:
    """Raise `CorpusError` if a row group is too large to decompress in bounded memory.

    Reads only the sizes of row groups: on damaged statistics of a column, `pyarrow` 26 kills the process.
    """
    metadata = table.metadata
    if any(metadata.row_group(group).total_byte_size > MAX_GROUP_BYTES for group in range(metadata.num_row_groups)):
        raise CorpusError(
            f"{source.name} has over {MAX_GROUP_BYTES >> 30} GB in one row group.",
            "Save it with smaller row groups, or as CSV.",
        )


def _longest(batch: pa.RecordBatch, names: list[str]) -> str:
    """Return the column with the greatest mean length, the first of equals."""

    def mean(name: str) -> float:
        texts = [value for value in _values(batch.column(name)) if isinstance(value, str)]
        return fmean(map(len, texts)) if texts else 0.0

    return max(names, key=mean)


def _values(column: pa.Array) -> list[object]:
    """Return the values of a column; bytes and unchecked strings are decoded as UTF-8, or else Windows-1252."""
    import pyarrow as pa

    if not _is_text(column.type):
        return list(column.to_pylist())
    if isinstance(column.type, pa.DictionaryType):
        column = column.dictionary_decode()
    return [None if value is None else _decoded(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")
