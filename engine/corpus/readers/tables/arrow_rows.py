"""Arrow: IPC files (`.arrow`, Feather 2) and streams (the cache of Hugging Face's `datasets`), read by `pyarrow`.

One record batch is in memory at a time, and only its required columns are decompressed. Feather 1, which has no
batches and is deprecated, is not read: on a damaged file, `pyarrow` 26 kills the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.files.byte_stream import buffered
from engine.corpus.readers.tables.arrow_messages import FILE_MAGIC, ArrowMessages, starts_stream
from engine.corpus.readers.tables.arrow_table import ArrowTable, pyarrow_errors
from engine.corpus.types import Row, Source

if TYPE_CHECKING:
    import pyarrow as pa


def looks_like(head: bytes) -> bool:
    """Return whether a file has the first bytes of an Arrow file or stream."""
    return head.startswith(FILE_MAGIC) or starts_stream(head)


def arrow_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per row of the table; columns are chosen as in `parquet_rows`.

    Raises `CorpusError` if there is no such column, the file is damaged, or `pyarrow` is not installed.
    """
    with pyarrow_errors(source, "Arrow"):
        import pyarrow as pa
        from pyarrow import ipc

        messages = ArrowMessages(file, source)
        schema = ipc.read_schema(pa.BufferReader(messages.schema))
        table = ArrowTable(schema, source, config)
        fields = [schema.names.index(name) for name in table.columns]
        options = ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        with closing(buffered(messages)) as stream, ipc.open_stream(stream, options=options) as batches:
            yield from table.rows(map(_validated, batches))


def _validated(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch. Raises `pyarrow.ArrowInvalid` if its data would be read outside their bounds."""
    batch.validate(full=True)
    return batch
