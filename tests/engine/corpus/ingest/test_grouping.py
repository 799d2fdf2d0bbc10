"""A network's archive is one source, and nothing else in it is read; other files of a container are sources each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.ingest.sources import open_sources
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import tar_of, zip_of, zstd_of
from tests.engine.corpus.ingest.opened_sources import (
    CSV,
    JSONL,
    MASTODON_FILES,
    ROWS,
    TEXT,
    X_FILES,
    X_OLD_FILES,
    X_TABLE,
    X_TWEETS,
    error_of,
    read,
    rows_or_error,
    sources_of,
    write,
)


def test_files_of_a_folder_that_turn_out_to_be_no_tweets_are_noted(tmp_path: Path) -> None:
    files = {"a.txt": b"", "b.txt": bytes(100), "c.csv": b"version https://git-lfs.github.com/spec/v1\n", "d.txt": TEXT}
    (opened,) = sources_of(write(tmp_path, {**files, "e.txt": b" "}))
    assert list(opened.rows) == ROWS
    (note,) = opened.source.notes
    assert note.startswith("not read: a.txt (is empty), b.txt (is not a text file), c.csv (is a Git LFS pointer")
    assert note.endswith(" and 1 more")


@pytest.mark.parametrize("container", ["zip", "folder", "folder in a zip"])
def test_an_archive_of_x_is_one_source_and_only_its_tweets_are_read(tmp_path: Path, container: str) -> None:
    match container:
        case "zip":
            write(tmp_path, {"x": zip_of(X_FILES)})
        case "folder":
            write(tmp_path / "x", X_FILES)
        case _:
            write(tmp_path, {"x": zip_of({f"twitter-2023/{name}": content for name, content in X_FILES.items()})})
    (opened,) = sources_of(tmp_path / "x")
    assert opened.source.format == "x"
    assert sorted(map(str, opened.rows)) == sorted(map(str, ROWS))
    assert opened.source.notes[0].startswith("not read: ")
    assert "README.txt" in opened.source.notes[0]
    note = "4 other files not opened (messages, deleted tweets, community tweets and media never are)"
    assert opened.source.notes[1] == note
    assert re.fullmatch(r"x: (?:twitter\S*/)?data/tweets\S*\.js \+ 1 more", opened.source.name)


@pytest.mark.parametrize("folder", ["", "tweets-of-2012/"])
@pytest.mark.parametrize("is_zip", [True, False])
def test_an_old_archive_of_x_is_one_source_and_only_its_tweets_are_read(
    tmp_path: Path, folder: str, *, is_zip: bool
) -> None:
    files = {folder + name: content for name, content in reversed(X_OLD_FILES.items())}
    write(tmp_path, {"x": zip_of(files)} if is_zip else {f"x/{name}": content for name, content in files.items()})
    for file_format in ("auto", "x"):
        (opened,) = sources_of(tmp_path / "x", file_format=file_format)
        assert list(opened.rows) == ROWS
        assert (opened.source.name, opened.source.format) == (f"x: {folder}data/js/tweets/2012_01.js + 3 more", "x")
        assert f"read from {folder}data/js/tweets/2012_01.js + 1 more, not again from {folder}tweets.csv" in (
            opened.source.notes
        )


def test_tables_with_common_names_close_no_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", dict.fromkeys(("saved_posts.csv", "scheduled_posts.csv", "a.csv"), CSV))
    assert list(read(folder).values()) == [ROWS] * 3


def test_tables_are_read_beside_each_other_whatever_their_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", {"tweets.csv": CSV, "2012_01.csv": CSV, "mine.csv": X_TABLE})
    read_rows = read(folder)
    assert read_rows == {"f: 2012_01.csv": ROWS, "f: mine.csv": ["a nice day"], "f: tweets.csv": ROWS}


def test_an_archive_of_mastodon_is_one_source_and_nothing_else_in_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"m": tar_of(MASTODON_FILES, "w:gz")})
    (opened,) = sources_of(tmp_path / "m")
    assert (opened.source.name, opened.source.format) == ("m: outbox.json", "mastodon")
    assert list(opened.rows) == ROWS
    assert "not read: actor.json, likes.json" in opened.source.notes


def test_in_a_part_of_an_archive_of_x_without_tweets_nothing_is_read(tmp_path: Path) -> None:
    files = {"data/README.txt": TEXT, "data/direct-messages.js": b"window.YTD.direct_messages.part0 = []"}
    error = error_of(write(tmp_path / "x", files))
    assert "found but not read: data/README.txt; also has 1 .js (data/direct-messages.js)" in error.message


@pytest.mark.parametrize(
    ("file_format", "read_files"),
    [("csv", {"a.csv", "b.txt"}), ("jsonl", {"b.txt", "c.jsonl"}), ("x", {"tweets.js"})],
)
def test_an_explicit_format_selects_among_the_files_of_a_folder(
    tmp_path: Path, file_format: FileFormat, read_files: set[str]
) -> None:
    write(tmp_path / "f", {"a.csv": CSV, "b.txt": JSONL, "c.jsonl": JSONL, "tweets.js": X_TWEETS})
    names = {each.source.name for each in sources_of(tmp_path / "f", file_format=file_format)}
    assert names == {f"f: {name}" for name in read_files}


@pytest.mark.parametrize("pattern", ["posts/b.csv", "b.csv", "posts/*", "p*s/*.csv"])
def test_only_the_files_that_match_the_pattern_of_member_are_read(tmp_path: Path, pattern: str) -> None:
    files = {"export/posts/b.csv": CSV, "export/c.csv": b"id,text\n1,a secret\n", "posts.txt": TEXT}
    for container in (write(tmp_path / "folder", files), write(tmp_path, {"a.zip": zip_of(files)}) / "a.zip"):
        config = CorpusConfig(files=(str(container),), member=pattern)
        (opened,) = open_sources(config, ReadProgress())
        assert opened.source.name == f"{container.name}: export/posts/b.csv"
        assert list(opened.rows) == ROWS


@pytest.mark.parametrize("pattern", ["in/a.zip/posts/b.csv", "a.zip/*", "b.csv"])
def test_the_path_of_a_file_in_an_archive_in_a_folder_begins_with_the_archive(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "folder", {"in/a.zip": zip_of({"posts/b.csv": CSV}), "in/c.csv": TEXT, "posts/d.csv": TEXT})
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path / "folder"),), member=pattern), ReadProgress())
    assert opened.source.name == "folder: in/a.zip/posts/b.csv"


def test_a_pattern_that_matches_nothing_or_has_nothing_to_choose_from_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", {"a.csv": CSV})
    not_found = r"without a readable file that matches --member b\*; it has 1 \.csv \(a\.csv\)\.$"
    for path, words in ((folder, not_found), (folder / "a.csv", "is a single file")):
        with pytest.raises(CorpusError, match=words):
            next(open_sources(CorpusConfig(files=(str(path),), member="b*"), ReadProgress()))


def test_files_and_archives_in_zstd_are_found_in_a_folder_by_their_names(tmp_path: Path) -> None:
    tar = zstd_of(tar_of({"in.csv": CSV}))
    files = {"a.csv.zst": zstd_of(CSV), "b.jsonl.zst": zstd_of(JSONL), "c.tar.zst": tar, "d.tzst": tar}
    opened = [(each.source.name, each.source.format, list(each.rows)) for each in sources_of(write(tmp_path, files))]
    names = {"a.csv.zst": "csv", "b.jsonl.zst": "jsonl", "c.tar.zst/in.csv": "csv", "d.tzst/in.csv": "csv"}
    assert opened == [(f"{tmp_path.name}: {name}", file_format, ROWS) for name, file_format in names.items()]


@pytest.mark.parametrize(
    ("files", "pattern", "rows"),
    [
        (MASTODON_FILES, "likes.json", ["not mine"]),
        (X_FILES, "README.txt", ["what is in this archive"]),
        (X_FILES, "tweets*.js", ["a nice day", "and a good night"]),
    ],
)
def test_a_chosen_file_of_a_networks_archive_is_read_by_its_content(
    tmp_path: Path, files: dict[str, bytes], pattern: str, rows: list[str]
) -> None:
    for container in (write(tmp_path / "folder", files), write(tmp_path, {"a.zip": zip_of(files)}) / "a.zip"):
        (opened,) = open_sources(CorpusConfig(files=(str(container),), member=pattern), ReadProgress())
        assert list(opened.rows) == rows


def test_private_files_are_refused_even_if_chosen(tmp_path: Path) -> None:
    write(tmp_path, {"x.zip": zip_of(X_FILES)})
    config = CorpusConfig(files=(str(tmp_path / "x.zip"),), member="deleted-tweets.js")
    assert "not the tweets of an X archive" in str(list(rows_or_error(config)))


@pytest.mark.parametrize("first", ["a", "z"])
@pytest.mark.parametrize("container", ["folder", "zip"])
def test_files_without_texts_do_not_abort_the_others_and_are_listed(tmp_path: Path, container: str, first: str) -> None:
    files = {
        f"{first}1.json": b'{"settings": {"theme": "dark"}}',
        f"{first}2.json": b'[{"id": 1, "name": "mia"}, {"id": 2, "name": "ben"}]',
        f"{first}3.jsonl": b'{"id": 1}\n{"id": 2}\n',
        f"{first}4.csv": b"id,date\n1,2020-01-02\n2,2020-01-03\n",
        "m.json": JSONL,
        "n.txt": TEXT,
    }
    path = write(tmp_path / "f", files) if container == "folder" else write(tmp_path, {"f": zip_of(files)}) / "f"
    opened = list(sources_of(path))
    assert [(each.source.name, list(each.rows)) for each in opened] == [("f: m.json", ROWS), ("f: n.txt", ROWS)]
    listed = ", ".join(f"{name} (without texts)" for name in list(files)[:3])
    assert opened[0].source.notes[-1] == f"not read: {listed} and 1 more"


def test_thousands_of_objects_without_a_text_are_dropped_rows_and_do_not_abort_the_others(tmp_path: Path) -> None:
    opened = list(sources_of(write(tmp_path / "f", {"a.jsonl": b'{"id": 1}\n' * 3000, "b.txt": TEXT})))
    assert [len(list(each.rows)) for each in opened] == [3000, 2]
    assert "a.jsonl has no texts" in opened[0].source.notes[-1]


def test_a_folder_in_which_no_file_has_texts_is_an_error_that_names_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", {"a.json": b'{"b": 1}', "c.json": b'[{"d": "e"}]'})
    with pytest.raises(CorpusError, match=r"f: a\.json has no array of tweets"):
        list(sources_of(folder))
