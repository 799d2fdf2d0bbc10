"""Parquet, read by `pyarrow`: tweets from one column, detected or set by --column, filtered by label.

A seekable file is never in memory beyond a batch of the required columns. A file in an archive is loaded whole, up to a
limit, since Parquet's index is at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from typing import TYPE_CHECKING

from engine.config.corpus import CorpusConfig
from engine.corpus.files.streams import Member
from engine.corpus.readers.columns import requested_column
from engine.corpus.readers.labels import LabelFilter
from engine.corpus.readers.reader import EMPTY, NOT_A_TEXT, DroppedRow, Format, Row, Source, example, whole
from engine.corpus.readers.table import find_table
from engine.errors import CorpusError
from engine.text import sanitize_line

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

MAX_GROUP_BYTES = 2 << 30
"""Limit of a row group, decompressed: the number of its pages is unknown."""

_MAGIC = b"PAR1"
_BATCH_ROWS = 1000
"""Rows that are Python objects at a time."""
_BUFFER_BYTES = 1 << 20
_NOT_READ = "[]"
"""Stands for a list, an object, a date and the like where columns are chosen, which are never texts."""


def parquet_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per row of the table.

    Columns and labels are chosen as in CSV, with the names of the columns as the header. Raises `CorpusError` if there
    is no such column, the file is damaged, or `pyarrow` is not installed.
    """
    with closing(members[0].open()) as file, _pyarrow_errors(source):
        import pyarrow as pa
        from pyarrow import parquet as pq

        content = file if file.seekable() else pa.BufferReader(whole(members[0], source))
        parquet = pq.ParquetFile(content, buffer_size=_BUFFER_BYTES)
        names = parquet.schema_arrow.names
        columns = _columns(parquet.schema_arrow, source, config)
        _refuse_huge(parquet, source)
        first = next(parquet.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False), None)
        if first is None:
            return
        cells = [
            list(map(_cell, _values(first.column(name)))) if name in columns else [_NOT_READ] * first.num_rows
            for name in names
        ]
        table = find_table(list(map(list, zip(*cells, strict=True))), source, config, names=names)
        chosen = [names[table.text_index]]
        if table.label_filter is not None:
            chosen.append(names[table.label_index])
        numbers = count(1)
        for batch in parquet.iter_batches(_BATCH_ROWS, columns=chosen, use_threads=False):
            texts = _values(batch.column(chosen[0]))
            labels = _values(batch.column(chosen[1])) if table.label_filter else texts
            for value, label, number in zip(texts, labels, numbers, strict=False):
                yield _row(value, label, table.label_filter, number)


def _columns(schema: pa.Schema, source: Source, config: CorpusConfig) -> list[str]:
    """Return the columns from which text and labels are chosen. Raises `CorpusError` if none may have texts."""
    names: list[str] = schema.names
    wanted = []
    for column, option in ((config.column, "--column"), (config.label_column, "--label-column")):
        if column is not None:
            name = names[requested_column(names, len(names), column, option, source.name)]
            if names.count(name) > 1:
                what = f"{source.name} has several columns called {sanitize_line(name, 30)}."
                raise CorpusError(what, "Rename them, or save it as CSV.")
            wanted.append(name)
    scalars = [each for each in schema if _is_scalar(each.type) and names.count(each.name) == 1]
    if config.column is None and not any(_is_text(each.type) for each in scalars):
        shown = ", ".join(sanitize_line(name, 30) for name in names[:12]) or "none"
        raise CorpusError(f"{source.name} has no text column.", f"Its columns are: {shown}.")
    return list(dict.fromkeys([*wanted, *(each.name for each in scalars)]))


def _refuse_huge(parquet: pq.ParquetFile, source: Source) -> None:
    """Raise `CorpusError` if a row group is too large to decompress in bounded memory.

    Reads only the sizes of row groups: on damaged statistics of a column, `pyarrow` 26 kills the process.
    """
    metadata = parquet.metadata
    if any(metadata.row_group(group).total_byte_size > MAX_GROUP_BYTES for group in range(metadata.num_row_groups)):
        raise CorpusError(
            f"{source.name} has over {MAX_GROUP_BYTES >> 30} GB in one row group.",
            "Save it with smaller row groups, or as CSV.",
        )


def _row(value: object, label: object, label_filter: LabelFilter | None, number: int) -> Row:
    """Return the text of a row, or why it is dropped; rows are counted from 1."""
    if label_filter and (reason := label_filter.reject_reason(_cell(label))):
        return DroppedRow(reason, example(f"row {number:,}", str(value)[:200]))
    if isinstance(value, str):
        return value
    if value is None:
        return DroppedRow(EMPTY, example(f"row {number:,}", "null"))
    return DroppedRow(NOT_A_TEXT, example(f"row {number:,}", str(value)[:200]))


def _is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type may contain texts."""
    import pyarrow as pa
    from pyarrow import types

    kind = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_binary, types.is_large_binary)
    return any(test(kind) for test in tests)


def _is_scalar(kind: pa.DataType) -> bool:
    """Return whether a column of this type has texts or labels, not lists or objects."""
    from pyarrow import types

    return _is_text(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


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


@contextmanager
def _pyarrow_errors(source: Source) -> Iterator[None]:
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
            f"{source.name} is a damaged Parquet file: {sanitize_line(cause, 200)}.",
            "Download it again, or save it as CSV.",
        ) from error


PARQUET = Format(
    name="parquet",
    rows=parquet_rows,
    suffixes=(".parquet", ".pq"),
    looks_like=lambda head: head.startswith(_MAGIC),
    binary_name="Parquet file",
    has_columns=True,
)
