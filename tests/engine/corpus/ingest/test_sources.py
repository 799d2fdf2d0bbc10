"""Files are opened as sources in every encoding and compression; errors are raised before the first row is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.ingest.sources import open_sources
from engine.errors import CorpusError
from tests.engine.corpus.files.foreign_tweets import TWEETS
from tests.engine.corpus.files.open_contents import gzip_of, tar_of, zip_of
from tests.engine.corpus.ingest.opened_sources import CSV, JSONL, ROWS, TEXT, X_TWEETS, error_of, sources_of, write


def test_files_are_sources_in_order_with_the_index_of_the_named_file(tmp_path: Path) -> None:
    write(tmp_path, {"z.txt": TEXT, "folder/a.txt": TEXT, "folder/b.csv": CSV})
    opened = list(sources_of(tmp_path / "z.txt", tmp_path / "folder", tmp_path / "z.txt"))
    assert [each.file_index for each in opened] == [0, 1, 1, 2]
    names = [each.source.name for each in opened]
    assert names[1:3] == ["folder: a.txt", "folder: b.csv"]
    assert names[0] == names[3] == str(tmp_path / "z.txt")  # the name alone is ambiguous


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("content", [TEXT, CSV, JSONL], ids=["text", "csv", "jsonl"])
def test_every_text_format_is_read_in_utf_16_or_32_and_gzip(tmp_path: Path, content: bytes, encoding: str) -> None:
    write(tmp_path, {"a": gzip_of(content.decode().encode(encoding))})
    (opened,) = sources_of(tmp_path / "a")
    assert list(opened.rows) == ROWS
    assert f"read as {encoding.upper()}" in opened.source.notes


@pytest.mark.parametrize("container", ["file", "gzip", "zip", "folder"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_every_text_format_is_read_in_a_detected_encoding(tmp_path: Path, name: str, container: str) -> None:
    tweets = [f"{tweet}。" for tweet in TWEETS["Chinese"]]
    content = "\n".join(tweets)
    if name == "a.csv":
        content = "id,text\n" + "".join(f"{number},{tweet}\n" for number, tweet in enumerate(tweets))
    elif name == "a.jsonl":
        content = "".join(json.dumps({"text": tweet}, ensure_ascii=False) + "\n" for tweet in tweets)
    data = content.encode("gbk")
    match container:
        case "zip":
            data = zip_of({name: data})
        case "gzip":
            data = gzip_of(data)
    write(tmp_path / "x", {name: data})
    (opened,) = sources_of(tmp_path / "x" / name if container != "folder" else tmp_path / "x")
    assert list(opened.rows) == tweets
    assert opened.source.notes.count("read as GBK") == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8"])
def test_a_byte_order_mark_beats_a_given_encoding(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, {"a.txt": "\ufeffhello\nwhat a day\n".encode("utf-16-be")})
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path / "a.txt"),), encoding=encoding), ReadProgress())
    assert list(opened.rows) == ["hello", "what a day"]


def test_a_given_encoding_replaces_detection_and_undecodable_bytes_are_u_fffd(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "привет\nпока\n".encode("koi8-r") + "é\n".encode() + b"caf\xe9\n"})
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path / "a.txt"),), encoding="koi8-r"), ReadProgress())
    assert list(opened.rows)[:2] == ["привет", "пока"]
    assert opened.source.notes == ["read as koi8-r"]
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path / "a.txt"),), encoding="utf-8"), ReadProgress())
    assert list(opened.rows)[2:] == ["é", "caf\ufffd"]


def test_what_is_separated_by_an_option_is_text(tmp_path: Path) -> None:
    pieces = [f"one, two, {number}\nthree, four, five" for number in range(20)]
    write(tmp_path, {"a": "\n---\n".join(pieces).encode(), "b.csv": CSV})
    write(tmp_path, {"paragraphs": "\n\n".join(pieces).encode()})
    files = (str(tmp_path / "a"), str(tmp_path / "b.csv"))
    text, table = open_sources(CorpusConfig(files=files, separator="---"), ReadProgress())
    assert (text.source.format, list(text.rows)) == ("text", pieces)
    assert (table.source.format, list(table.rows)) == ("csv", ROWS)
    config = CorpusConfig(files=(str(tmp_path / "paragraphs"),), blank_line_separated=True)
    (opened,) = open_sources(config, ReadProgress())
    assert list(opened.rows) == pieces


def test_a_given_encoding_is_not_applied_to_a_binary_format(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"text": ROWS}), tmp_path / "a.parquet")
    write(tmp_path, {"b.txt": TEXT})
    opened = open_sources(CorpusConfig(files=(str(tmp_path),), encoding="gbk"), ReadProgress())
    assert [list(each.rows) for each in opened] == [ROWS, ROWS]


def test_a_text_has_no_columns(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": TEXT})
    assert "no column tweet" in error_of(tmp_path / "a.txt", column="tweet").message
    with pytest.raises(CorpusError, match=r"a\.txt is read as plain text, which has no column tweet"):
        next(sources_of(tmp_path, column="tweet"))


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        (X_TWEETS, [f"--{name} is not used for x" for name in ("column", "label-column")]),
    ],
)
def test_options_that_a_format_does_not_use_are_noted(tmp_path: Path, content: bytes, notes: list[str]) -> None:
    write(tmp_path, {"a": content})
    config = CorpusConfig(files=(str(tmp_path / "a"),), column="text", label_column="id")
    (opened,) = open_sources(config, ReadProgress())
    assert opened.source.notes == notes


def test_messages_on_standard_input_do_not_have_the_name_of_its_copy(tmp_path: Path) -> None:
    write(tmp_path, {f"standard-input-{'0' * 64}": b'window.YTD.tweets.part0 = [{"tweet": {"full_text": "a'})
    (opened,) = sources_of(*tmp_path.iterdir())
    with pytest.raises(CorpusError, match=r"^standard input is not valid JSON"):
        list(opened.rows)


BAD: dict[str, tuple[bytes, str]] = {
    "empty.txt": (b"", "is empty"),
    "binary.csv": (bytes(range(256)) * 8, "not a text file"),
    "pointer.csv": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    "cut.csv.gz": (gzip_of(os.urandom(50_000))[:20_000], "truncated"),
    "empty.zip": (zip_of({}), "is an archive without a readable file"),
    "nested.zip": (zip_of({"a.zip": zip_of({"a.txt": TEXT})}), "a.zip (an archive inside an archive)"),
    "zip.gz": (gzip_of(zip_of({"a.txt": TEXT})), "is an archive inside another file"),
    "garbage.car": (bytes(range(256)) * 8, "is called .car but is no Bluesky repository"),
    "garbage.parquet": (bytes(range(256)) * 8, "is called .parquet but is no Parquet file"),
    "photo.txt": (b"\xff\xd8\xff\xe0" + "什么天气都好，我们出门。\n".encode("gbk") * 99, "is a picture"),
    "picture.car": (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unusable_file_is_reported_before_a_row_is_read(tmp_path: Path, name: str) -> None:
    content, words = BAD[name]
    write(tmp_path, {name: content, "good.txt": TEXT})
    assert words in error_of(tmp_path / name).message
    with pytest.raises(CorpusError, match=name):
        next(sources_of(tmp_path / "good.txt", tmp_path / name))


def test_a_folder_without_a_readable_file_is_an_error_that_lists_the_formats(tmp_path: Path) -> None:
    error = error_of(write(tmp_path, {"a.jpg": b"x", "empty/.hidden.txt": TEXT}))
    assert error.message.endswith("is a folder without a readable file; it has 1 .jpg (a.jpg).")
    assert ".csv" in error.hint
    assert "archives (.zip, .tar, .tgz, .tbz2, .txz, .tzst) and files compressed as .gz, .bz2, .xz, .zst" in error.hint
    assert error.hint.endswith(". --member PATTERN opens files of other names.")


def test_an_archive_without_a_readable_file_is_an_error_that_lists_what_is_in_it(tmp_path: Path) -> None:
    names = ["a.jpg", "b/c.jpg", "LICENSE", "x.html", "y.html", "z.pdf", *(f"{number}.jpg" for number in range(1_200))]
    files = {**dict.fromkeys(names, b"x"), "a.txt": b"", ".hidden.doc": b"x"}
    write(tmp_path, {"a.zip": zip_of(files), "folder/a.tar": tar_of(dict.fromkeys(names, b"x"))})
    kinds = "1,202 .jpg ({0}a.jpg, ...), 2 .html ({0}x.html, ...), 1 without a suffix ({0}LICENSE) and 1 more."
    message = error_of(tmp_path / "a.zip").message
    assert message.endswith(f"found but not read: a.txt (is empty); also has {kinds.format('')}")
    assert error_of(tmp_path / "folder").message.endswith(f"; it has {kinds.format('a.tar/')}")


@pytest.mark.parametrize("file", ["-", ""])
def test_standard_input_and_an_empty_name_are_refused(file: str) -> None:
    with pytest.raises(CorpusError):
        next(open_sources(CorpusConfig(files=(file,)), ReadProgress()))
