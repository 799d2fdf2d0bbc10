"""`ArrowTable`: the tweets in the record batches of a Parquet file, from one column, filtered by label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.columns import requested_column
from engine.corpus.readers.labels import LabelFilter
from engine.corpus.readers.reader import DroppedRow, Row, Source, example
from engine.corpus.readers.table import find_table
from engine.errors import CorpusError
from engine.text import sanitize_line

if TYPE_CHECKING:
    import pyarrow as pa

_NOT_READ = "[]"
"""Stands for a list, an object, a date and the like where columns are chosen, which are never texts."""


@contextmanager
def pyarrow_errors(source: Source) -> Iterator[None]:
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


class ArrowTable:
    """The columns of a table that are read: the text, and the label if there is one."""

    def __init__(self, schema: pa.Schema, source: Source, config: CorpusConfig) -> None:
        """Raises `CorpusError` if no column has texts, or one of the config does not exist."""
        self._names, self._source, self._config = schema.names, source, config
        names: list[str] = schema.names
        wanted = [names[index] for index in self._requested()]
        scalars = [each.name for each in schema if _is_scalar(each.type) and names.count(each.name) == 1]
        self.columns = list(dict.fromkeys([*wanted, *scalars]))
        """Names of the columns to read: before `choose`, of all that it may choose."""
        self._rule: LabelFilter | None = None
        if config.column is None and not any(_is_text(each.type) for each in schema if each.name in scalars):
            shown = ", ".join(sanitize_line(name, 30) for name in names[:12]) or "none"
            raise CorpusError(f"{source.name} has no text column.", f"Its columns are: {shown}.")

    def choose(self, first: pa.RecordBatch) -> None:
        """Choose the columns by the first rows of `columns`, and add notes to the source. Raises `CorpusError`."""
        cells = [
            list(map(_cell, _values(first.column(name)))) if name in self.columns else [_NOT_READ] * first.num_rows
            for name in self._names
        ]
        records = [list(fields) for fields in zip(*cells, strict=True)]
        table = find_table(records, self._source, self._config, names=self._names)
        self._rule = table.label_filter
        chosen = [table.text_index, table.label_index] if self._rule else [table.text_index]
        self.columns = [self._names[index] for index in chosen]

    def rows(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
        """Yield a row for each row of these batches of the chosen columns: its text, or why it is dropped."""
        num_rows = 0
        rule = self._rule
        for batch in batches:
            values = _values(batch.column(self.columns[0]))
            labels = _values(batch.column(self.columns[1])) if rule else [None] * batch.num_rows
            for value, label in zip(values, labels, strict=True):
                num_rows += 1
                yield _row(value, label, rule, f"row {num_rows:,}")

    def _requested(self) -> Iterator[int]:
        """Yield the columns that the config names. Raises `CorpusError`."""
        for column, option in ((self._config.column, "--column"), (self._config.label_column, "--label-column")):
            if column is not None:
                index = requested_column(self._names, len(self._names), column, option, self._source.name)
                if self._names.count(self._names[index]) > 1:
                    what = f"{self._source.name} has several columns called {sanitize_line(self._names[index], 30)}."
                    raise CorpusError(what, "Rename them, or save it as CSV.")
                yield index


def _row(value: object, label: object, rule: LabelFilter | None, where: str) -> Row:
    """Return the text of a row, or why it is dropped."""
    if rule and (reason := rule.reject_reason(_cell(label))):
        return DroppedRow(reason, example(where, str(value)[:200]))
    if value is None:
        return DroppedRow("empty", example(where, "null"))
    return value if isinstance(value, str) else DroppedRow("not a text", example(where, str(value)[:200]))


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
