"""Documents that are zip archives inside are named, and never read as archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.files import ReadProgress
from engine.corpus.ingest.sources import open_sources
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import gzip_of, read_all, zip_of

TYPES = {"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<Relationships/>"}
OPEN_DOCUMENT = b"application/vnd.oasis.opendocument."


def mime_zip(kind: bytes) -> bytes:
    """Return an OpenDocument file or e-book: its first part, not compressed, is its type."""
    return zip_of({"mimetype": kind, "content.xml": b"<x/>", "notes.txt": b"not a tweet"}, zipfile.ZIP_STORED)


DOCUMENTS = {
    "a.docx": (zip_of({**TYPES, "word/document.xml": b"<x/>", "word/notes.txt": b"no tweet"}), "a Word document"),
    "a.pptx": (zip_of({"ppt/presentation.xml": b"<x/>", **TYPES}), "a PowerPoint presentation"),
    "a.xlsb": (zip_of({**TYPES, "xl/workbook.bin": b"\0"}), "a binary Excel workbook"),
    "a.ods": (mime_zip(OPEN_DOCUMENT + b"spreadsheet"), "an OpenDocument spreadsheet"),
    "a.odt": (mime_zip(OPEN_DOCUMENT + b"text"), "an OpenDocument text"),
    "a.odp": (mime_zip(OPEN_DOCUMENT + b"presentation"), "an OpenDocument file"),
    "a.epub": (mime_zip(b"application/epub+zip"), "an e-book"),
    "a.numbers": (zip_of({"Index/Document.iwa": b"\0"}), "Numbers, Pages or Keynote"),
    "a.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Office document in an old format"),
    "a.docx.gz": (gzip_of(zip_of({**TYPES, "word/document.xml": b"<x/>"})), "a Word document"),
}


def error_of(path: Path) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        next(open_sources(CorpusConfig(files=(str(path),)), ReadProgress()))
    return caught.value


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    content, words = DOCUMENTS[name]
    (tmp_path / name).write_bytes(content)
    error = error_of(tmp_path / name)
    assert words in error.message
    assert error.hint.startswith(("Save", "Export"))


def test_an_archive_with_a_folder_named_as_in_a_document_is_an_archive(tmp_path: Path) -> None:
    files = {"word/a.txt": b"one\n", "xl/b.txt": b"two\n"}
    (tmp_path / "a.zip").write_bytes(zip_of(files))
    assert read_all(tmp_path / "a.zip") == files


def test_a_damaged_document_is_damaged(tmp_path: Path) -> None:
    content, _ = DOCUMENTS["a.docx"]
    (tmp_path / "a.docx").write_bytes(content[:-30])
    assert "is damaged" in error_of(tmp_path / "a.docx").message
