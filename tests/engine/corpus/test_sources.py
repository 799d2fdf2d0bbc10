"""Files are opened as sources in every encoding and compression, their format recognised by content, then by name.

A file called .txt is read as the table that it is; prose with commas or tabs stays plain text. A network's archive is
one source. Errors are raised before the first row is read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import get_args

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.ingest.detection import recognize_format
from engine.corpus.ingest.formats import FORMATS
from engine.corpus.ingest.sources import open_sources
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import gzip_of, parquet_of, tar_of, zip_of, zstd_of
from tests.engine.corpus.reading import (
    TWEETS,
    Case,
    Container,
    Files,
    cases,
    encoded,
    read,
    recorded_cases,
    texts_of,
    write,
)

TEXT = "a nice day\nand a good night\n"
CSV = "id,text\n1,a nice day\n2,and a good night\n"
JSONL = '{"text": "a nice day"}\n{"text": "and a good night"}\n'
ROWS = ["a nice day", "and a good night"]


def test_files_are_sources_in_order_with_the_index_of_the_named_file(tmp_path: Path) -> None:
    write(tmp_path, {"z.txt": TEXT, "folder/a.txt": TEXT, "folder/b.csv": CSV})
    files = (str(tmp_path / "z.txt"), str(tmp_path / "folder"), str(tmp_path / "z.txt"))
    opened = list(open_sources(CorpusConfig(files=files), ReadProgress()))
    assert [each.file_index for each in opened] == [0, 1, 1, 2]
    names = [each.source.name for each in opened]
    assert names[1:3] == ["folder: a.txt", "folder: b.csv"]
    assert names[0] == names[3] == str(tmp_path / "z.txt")  # the name alone is ambiguous


def test_files_and_archives_in_zstd_and_zips_in_a_folder_are_found_by_their_names(snapshot: SnapshotAssertion) -> None:
    tar = zstd_of(tar_of({"in.csv": CSV.encode()}))
    files = {
        "a.csv.zst": zstd_of(CSV.encode()),
        "b.jsonl.zst": zstd_of(JSONL.encode()),
        "c.tar.zst": tar,
        "d.tzst": tar,
        "in/e.zip": zip_of({"posts/b.csv": CSV.encode()}),
    }
    assert read(files) == snapshot


@pytest.mark.parametrize("pattern", ["in/a.zip/posts/b.csv", "a.zip/*", "b.csv"])
def test_the_path_of_a_file_in_an_archive_in_a_folder_begins_with_the_archive(pattern: str) -> None:
    files: Files = {"in/a.zip": zip_of({"posts/b.csv": CSV.encode()}), "in/c.csv": TEXT, "posts/d.csv": TEXT}
    assert read(files, member=pattern).startswith("f: in/a.zip/posts/b.csv, csv\n+ 'a nice day'\n")


def test_thousands_of_objects_without_a_text_are_dropped_rows_and_do_not_abort_the_others() -> None:
    lines = read({"a.jsonl": '{"id": 1}\n' * 3000, "b.txt": TEXT}).splitlines()
    assert "  ... 2,992 more" in lines
    assert any("a.jsonl has no texts" in line for line in lines)
    assert lines[-3:] == ["f: b.txt, text", *(f"+ {row!r}" for row in ROWS)]


def test_a_format_is_recognised_by_content_first_and_name_second(snapshot: SnapshotAssertion) -> None:
    lines = []
    for case in cases("formats"):
        ((name, content),) = case.files.items()
        lines.append(f"{recognize_format(encoded(content), name):<8} {case.name}: {name}")
    assert "\n".join(lines) == snapshot
    assert {"auto", *FORMATS} == set(get_args(FileFormat)), "every format has a row in the table"


def test_json_with_a_line_longer_than_what_detection_reads_is_lines_or_a_document() -> None:
    for start in ('{"data": [', '["', '{"a": {', "[[1, "):
        assert recognize_format((start + "x" * 70_000).encode()[:65_536], "a.jsonl") == "jsonl"
    lines = [json.dumps({"id": number, "entities": "x" * 70_000, "text": f"tweet {number}"}) for number in range(2)]
    for name in ("a", "a.json", "a.jsonl", "a.txt"):
        assert read({name: "\n".join(lines)}) == f"{name}, jsonl\n+ 'tweet 0'\n+ 'tweet 1'\n* texts under text"
    document = json.dumps({"more": "x" * 70_000, "posts": [{"text": "a nice day"}]})
    assert read({"a": f"{document}\n"}) == "a, json\n+ 'a nice day'\n* texts under posts.text"


PROSE = ["what a day", "so, it rains again", "good morning :)", "I can't, won't!", "late", "bye; all", "1 more", "ok"]


@recorded_cases("called_txt")
def test_a_table_called_txt_is_read_as_csv_and_prose_as_lines(case: Case) -> None:
    files = {name: str(content) for name, content in case.files.items()}
    rows = "".join(files.get("rows", "").format(number, text) for number, text in enumerate(PROSE * 3, start=1))
    content = files.get("head", "") + rows + files.get("tail", "")
    assert recognize_format(content.encode(), "a.txt") == ("csv" if case.name.startswith("a table") else "text")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("content", [TEXT, CSV, JSONL], ids=["text", "csv", "jsonl"])
def test_every_text_format_is_read_in_utf_16_or_32_and_gzip(content: str, encoding: str) -> None:
    files = {"a": gzip_of(content.encode(encoding))}
    assert texts_of(files) == ROWS
    assert f"* read as {encoding.upper()}" in read(files)


CHINESE = [f"{tweet}。" for tweet in TWEETS["Chinese"]]
IN_CHINESE = {
    "a.txt": "\n".join(CHINESE),
    "a.csv": "id,text\n" + "".join(f"{number},{tweet}\n" for number, tweet in enumerate(CHINESE)),
    "a.jsonl": "".join(f'{{"text": "{tweet}"}}\n' for tweet in CHINESE),
}


@pytest.mark.parametrize("name", IN_CHINESE)
def test_every_text_format_is_read_in_a_detected_encoding_in_any_container(name: str) -> None:
    data = IN_CHINESE[name].encode("gbk")
    containers: tuple[Container, ...] = ("", "zip", "folder")
    for content, container in ((gzip_of(data), ""), *((data, each) for each in containers)):
        assert texts_of({name: content}, container) == CHINESE
        assert read({name: content}, container).count("* read as GBK") == 1


def test_a_given_encoding_replaces_detection_and_undecodable_bytes_are_u_fffd(snapshot: SnapshotAssertion) -> None:
    files = {"a.txt": "привет\nпока\n".encode("koi8-r") + "é\n".encode() + b"caf\xe9\n"}
    assert "\n".join(read(files, encoding=encoding) for encoding in ("koi8-r", "utf-8")) == snapshot


def test_a_byte_order_mark_and_a_binary_format_beat_a_given_encoding() -> None:
    marked = {"a.txt": f"\ufeff{TEXT}".encode("utf-16-be")}
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8"):
        assert texts_of(marked, encoding=encoding) == ROWS
    assert texts_of({"a.parquet": parquet_of({"text": ROWS}), "b.txt": TEXT}, encoding="gbk") == ROWS * 2


BAD: dict[str, bytes] = {
    "empty.txt": b"",
    "binary.csv": bytes(range(256)) * 8,
    "cut.csv.gz": gzip_of(os.urandom(50_000))[:20_000],
    "empty.zip": zip_of({}),
    "nested.zip": zip_of({"a.zip": zip_of({"a.txt": TEXT.encode()})}),
    "zip.gz": gzip_of(zip_of({"a.txt": TEXT.encode()})),
    "garbage.parquet": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("name", BAD)
def test_an_unusable_file_is_reported_before_a_row_is_read(
    tmp_path: Path, name: str, snapshot: SnapshotAssertion
) -> None:
    bad, good = (str(write(tmp_path, {file: content}) / file) for file, content in ((name, BAD[name]), ("a.txt", TEXT)))
    found = []
    for files in ((bad,), (good, bad)):
        with pytest.raises(CorpusError) as caught:
            next(open_sources(CorpusConfig(files=files), ReadProgress()))
        found.append(f"{caught.value.message}\n{caught.value.hint}".replace(f"{tmp_path}/", ""))
    assert found[0] == found[1]
    assert found[0] == snapshot


def test_an_archive_without_a_readable_file_is_an_error_that_lists_what_is_in_it(snapshot: SnapshotAssertion) -> None:
    names = ["a.jpg", "b/c.jpg", "LICENSE", "x.html", "y.html", "z.pdf", *(f"{number}.jpg" for number in range(1_200))]
    files = {**dict.fromkeys(names, b"x"), "a.txt": b"", ".hidden.doc": b"x"}
    alone = read(files, "zip")
    assert f"{alone}\n{read({'folder/a.tar': tar_of(dict.fromkeys(names, b'x'))}, 'folder')}" == snapshot


def test_standard_input_has_no_other_name_and_is_not_read_again() -> None:
    copied = {f"standard-input-{'0' * 64}": 'window.YTD.tweets.part0 = [{"tweet": {"full_text": "a'}
    assert "! standard input is not valid JSON" in read(copied)
    for file in ("-", ""):
        with pytest.raises(CorpusError):
            next(open_sources(CorpusConfig(files=(file,)), ReadProgress()))
