"""Parquet, read by `pyarrow`: tweets from one column, detected or set by --column, filtered by label.

A seekable file is never in memory beyond a batch of the required columns. A file in an archive or pipe is loaded whole,
up to a limit, since Parquet's index is at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.reader import Format, Row, Source, of_one_file
from engine.corpus.readers.tables.arrow_table import ArrowTable, pyarrow_errors
from engine.errors import CorpusError

if TYPE_CHECKING:
    from pyarrow import parquet as pq

MAX_GROUP_BYTES = 2 << 30
"""Limit of a row group, decompressed: the number of its pages is unknown."""
MAX_LOADED_BYTES = 1 << 30
"""Limit of a file in an archive."""

_MAGIC = b"PAR1"
_BATCH_ROWS = 1000
"""Rows that are Python objects at a time."""
_BUFFER_BYTES = 1 << 20


def looks_like(head: bytes) -> bool:
    """Return whether a file has the first bytes of Parquet."""
    return head.startswith(_MAGIC)


def parquet_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per row of the table.

    Columns and labels are chosen as in CSV, with the names of the columns as the header. Raises `CorpusError` if there
    is no such column, the file is damaged, or `pyarrow` is not installed.
    """
    with pyarrow_errors(source):
        file_table = _opened(file, source)
        table = ArrowTable(file_table.schema_arrow, source, config)
        _refuse_huge(file_table, source)
        first = next(file_table.iter_batches(_BATCH_ROWS, columns=table.columns, use_threads=False), None)
        if first is not None:
            table.choose(first)
            yield from table.rows(file_table.iter_batches(_BATCH_ROWS, columns=table.columns, use_threads=False))


def _opened(file: BinaryIO, source: Source) -> pq.ParquetFile:
    """Open the table of a file."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    if file.seekable():
        return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    return pq.ParquetFile(pa.BufferReader(pa.py_buffer(_loaded(file, source))))


def _loaded(file: BinaryIO, source: Source) -> bytearray:
    """Return the content of a file. Raises `CorpusError` if it is over `MAX_LOADED_BYTES`."""
    content = bytearray()
    while block := file.read(_BUFFER_BYTES):
        content += block
        if len(content) > MAX_LOADED_BYTES:
            raise CorpusError(
                f"{source.name} is over {MAX_LOADED_BYTES >> 20:,} MB, too large to be read as a whole.",
                "Extract it if it is in an archive, or save it as CSV.",
            )
    return content


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


PARQUET = Format(
    name="parquet",
    rows=of_one_file(parquet_rows),
    suffixes=(".parquet", ".pq"),
    looks_like=looks_like,
    binary_name="Parquet file",
    has_columns=True,
)
