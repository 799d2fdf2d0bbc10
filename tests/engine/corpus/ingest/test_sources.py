"""Formats are detected, archives are one source, and errors are raised before the first row is read."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files import ReadProgress
from engine.corpus.ingest.detection import recognize_format
from engine.corpus.ingest.formats import FORMATS
from engine.corpus.ingest.sources import OpenedSource, open_sources
from engine.corpus.types import Row
from engine.errors import CorpusError
from tests.engine.corpus.files.foreign_tweets import TWEETS
from tests.engine.corpus.files.open_contents import gzip_of, tar_of, zip_of, zstd_of

TEXT = b"a nice day\nand a good night\n"
CSV = b"id,text\n1,a nice day\n2,and a good night\n"
JSONL = b'{"text": "a nice day"}\n{"text": "and a good night"}\n'
NESTED = b'{"export": {"posts": [{"post": {"text": "a nice day"}}, {"post": {"text": "and a good night"}}]}}'
ROWS: list[Row] = ["a nice day", "and a good night"]
SENTIMENT140 = b"".join(
    b'"4","%d","Mon Apr 06 22:19:45 PDT 2009","NO_QUERY","somebody","a nice day, number %d"\n' % (number, number)
    for number in range(5)
)
X_TWEETS = b'window.YTD.tweets.part0 = [{"tweet": {"id_str": "1", "full_text": "a nice day"}}]'
X_PART = b'window.YTD.tweets.part1 = [{"tweet": {"id_str": "2", "full_text": "and a good night"}}]'
X_DELETED = b'window.YTD.deleted_tweets.part0 = [{"tweet": {"id_str": "3", "full_text": "a secret"}}]'
X_FILES = {
    "Your archive.html": b"<html>",
    "data/account.js": b"window.YTD.account.part0 = []",
    "data/README.txt": b"what is in this archive\n",
    "data/deleted-tweets.js": X_DELETED,
    "data/direct-messages.js": X_DELETED,
    "data/tweets-part1.js": X_PART,
    "data/tweets.js": X_TWEETS,
}
X_MONTH = b'Grailbird.data.tweets_2012_01 = \n [ {\n  "source" : "web",\n  "text" : "a nice day"\n} ]'
X_TABLE = (
    b'"tweet_id","in_reply_to_status_id","in_reply_to_user_id","timestamp","source","text","retweeted_status_id",'
    b'"retweeted_status_user_id","retweeted_status_timestamp","expanded_urls"\n"1","","","2012","web","a nice day"\n'
)
X_OLD_FILES = {
    "README.txt": b"how to use this archive\n",
    "data/js/payload_details.js": b'var payload_details = {"tweets": 2}',
    "data/js/tweet_index.js": b'var tweet_index = [ {"file_name": "data/js/tweets/2012_01.js"} ]',
    "data/js/tweets/2012_01.js": X_MONTH,
    "data/js/tweets/2012_02.js": X_MONTH.replace(b"2012_01", b"2012_02").replace(b"a nice day", b"and a good night"),
    "data/js/user_details.js": b'var user_details = {"id": "5", "bio": "a life"}',
    "index.html": b"<html>",
    "js/application.js": b"var app = 1",
    "tweets.csv": X_TABLE,
}
OUTBOX = json.dumps(
    {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": "outbox.json",
        "type": "OrderedCollection",
        "orderedItems": [
            {"type": "Create", "object": {"type": "Note", "content": f"<p>{row}</p>", "to": ["as:Public"]}}
            for row in ROWS
        ],
    }
).encode()
FACEBOOK_POSTS = json.dumps(
    [{"timestamp": 1242901624, "data": [{"post": row}], "title": "Mia Hill"} for row in ROWS]
).encode()
FACEBOOK_MESSAGES = json.dumps(
    {"participants": [{"name": "Tom"}], "messages": [{"sender_name": "Tom", "content": "a secret"}], "title": "Tom"}
).encode()
FACEBOOK = "your_facebook_activity"
FACEBOOK_FILES = {
    "files/readme.txt": b"what is in this export\n",
    f"{FACEBOOK}/comments_and_reactions/comments.json": b'{"comments_v2": [{"text": "a comment"}]}',
    f"{FACEBOOK}/groups/group_posts_and_comments.json": b'{"group_posts_v2": [{"text": "in a group"}]}',
    f"{FACEBOOK}/messages/inbox/tom_1/files/notes.txt": b"a secret\n",
    f"{FACEBOOK}/messages/inbox/tom_1/message_1.json": FACEBOOK_MESSAGES,
    f"{FACEBOOK}/posts/your_posts__check_ins__photos_and_videos_1.json": FACEBOOK_POSTS,
    f"{FACEBOOK}/posts/your_posts__check_ins__photos_and_videos_2.json": FACEBOOK_POSTS,
    f"{FACEBOOK}/posts/media/a.jpg": b"x",
    "personal_information/profile_information.json": b'[{"text": "an address"}]',
}
MASTODON_FILES = {"actor.json": b'{"id": "me"}\n', "likes.json": b'{"text": "not mine"}\n', "outbox.json": OUTBOX}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def sources_of(*files: Path, file_format: FileFormat = "auto", column: str | None = None) -> Iterator[OpenedSource]:
    """Open the sources of these files."""
    config = CorpusConfig(files=tuple(map(str, files)), format=file_format, column=column)
    return open_sources(config, ReadProgress())


def read(*files: Path, file_format: FileFormat = "auto", column: str | None = None) -> dict[str, list[Row]]:
    """Return the rows of all sources in these files, by name."""
    return {each.source.name: list(each.rows) for each in sources_of(*files, file_format=file_format, column=column)}


def error_of(path: Path, file_format: FileFormat = "auto", column: str | None = None) -> CorpusError:
    """Return the error of opening a file, before a row is read; assert that it names the file and has a hint."""
    with pytest.raises(CorpusError) as caught:
        next(sources_of(path, file_format=file_format, column=column))
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


# Formats --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "name", "file_format"),
    [
        (TEXT, "a.csv", "csv"),
        (TEXT, "a.txt", "text"),
        (b'"hello, there"\n', "a", "csv"),
        (b"id;text\n1;hello, you\n", "a", "csv"),
        (b"", "a", "text"),
        (b'"Be yourself" - Wilde\n"Or not" - me\n', "a", "text"),
        (CSV, "a", "csv"),
        (JSONL, "a.txt", "jsonl"),
        (JSONL.splitlines()[0], "a.json", "json"),
        (JSONL.splitlines()[0] + b"\n", "a", "jsonl"),
        (NESTED, "a.json", "json"),
        (codecs.BOM_UTF8 + JSONL, "a.txt", "jsonl"),
        (b'[{"text": "hello"}]', "a.txt", "json"),
        (b'["hey" she said\n', "a", "text"),
        (SENTIMENT140, "a.txt", "sentiment140"),
        (b"Label,Id,Date,Query,Name,Text\n" + SENTIMENT140[:-20], "a", "sentiment140"),
        (codecs.BOM_UTF8 + X_TWEETS, "a.txt", "x"),
        (X_DELETED, "a.txt", "x"),  # refused later
        (codecs.BOM_UTF8 + X_MONTH, "2012_01.js", "x"),
        (X_OLD_FILES["data/js/tweet_index.js"], "tweet_index.js", "x"),  # refused later
        (X_TABLE, "tweets.csv", "x"),
        (X_TABLE.replace(b'"', b"").replace(b"\n", b"\r\n"), "a.txt", "x"),
        (b"tweet_id,text\n1,hello\n", "tweets.csv", "csv"),
        (OUTBOX, "outbox.json", "mastodon"),
        (b"PAR1\x15\x04\x15", "a.txt", "parquet"),
        (b"[sigh] what a day\n", "a.txt", "text"),
    ],
)
def test_a_format_is_recognised_by_content_first_and_name_second(
    head: bytes, name: str, file_format: FileFormat
) -> None:
    assert recognize_format(head, name) == file_format


@pytest.mark.parametrize("start", ['{"data": [', '["', '{"a": {', "[[1, "])
def test_jsonl_in_the_name_decides_for_lines_whose_first_is_longer_than_what_detection_reads(start: str) -> None:
    assert recognize_format((start + "x" * 70_000).encode()[:65_536], "a.jsonl") == "jsonl"


@pytest.mark.parametrize(
    ("head", "file_format"),
    [
        (b'{"text": "torn\n' + JSONL, "jsonl"),
        (b'["one", "two"]\n["three", "four"]\n', "jsonl"),
        (b'{\n "text": "one"\n}\n', "json"),
        (b'{"tweets": [\n {"text": "one"},\n', "json"),
        (b'[\n{"text": "one"}]', "json"),
    ],
)
def test_jsonl_in_the_name_decides_unless_the_first_line_is_no_whole_value(head: bytes, file_format: str) -> None:
    assert recognize_format(head, "a.ndjson") == file_format


@pytest.mark.parametrize("name", ["a", "a.json", "a.jsonl", "a.txt"])
def test_json_lines_with_a_first_line_over_64_kib_are_read_to_the_end(tmp_path: Path, name: str) -> None:
    lines = [{"id": number, "entities": "x" * 70_000, "text": row} for number, row in enumerate(ROWS)]
    write(tmp_path, {name: "\n".join(map(json.dumps, lines)).encode()})
    (opened,) = sources_of(tmp_path / name)
    assert opened.source.format == "jsonl"
    assert list(opened.rows) == ROWS


def test_a_json_document_on_one_line_over_64_kib_is_a_document(tmp_path: Path) -> None:
    content = {"more": "x" * 70_000, "posts": [{"text": row} for row in ROWS]}
    write(tmp_path, {"a": json.dumps(content).encode() + b"\n"})
    (opened,) = sources_of(tmp_path / "a")
    assert opened.source.format == "json"
    assert list(opened.rows) == ROWS


def test_every_format_has_a_row_in_the_table() -> None:
    assert {"auto", *FORMATS} == set(get_args(FileFormat))


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


def test_a_given_encoding_replaces_detection_and_undecodable_bytes_are_u_fffd(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "привет\nпока\n".encode("koi8-r") + "é\n".encode() + b"caf\xe9\n"})
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path / "a.txt"),), encoding="koi8-r"), ReadProgress())
    assert list(opened.rows)[:2] == ["привет", "пока"]
    assert opened.source.notes == ["read as koi8-r"]
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path / "a.txt"),), encoding="utf-8"), ReadProgress())
    assert list(opened.rows)[2:] == ["é", "caf\ufffd"]


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


# Grouping -------------------------------------------------------------------------------------------------------------


def test_files_are_sources_in_order_with_the_index_of_the_named_file(tmp_path: Path) -> None:
    write(tmp_path, {"z.txt": TEXT, "folder/a.txt": TEXT, "folder/b.csv": CSV})
    opened = list(sources_of(tmp_path / "z.txt", tmp_path / "folder", tmp_path / "z.txt"))
    assert [each.file_index for each in opened] == [0, 1, 1, 2]
    names = [each.source.name for each in opened]
    assert names[1:3] == ["folder: a.txt", "folder: b.csv"]
    assert names[0] == names[3] == str(tmp_path / "z.txt")  # the name alone is ambiguous


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
    files = {folder + name: content for name, content in X_OLD_FILES.items()}
    write(tmp_path, {"x": zip_of(files)} if is_zip else {f"x/{name}": content for name, content in files.items()})
    for file_format in ("auto", "x"):
        (opened,) = sources_of(tmp_path / "x", file_format=file_format)
        assert list(opened.rows) == ROWS
        assert (opened.source.name, opened.source.format) == (f"x: {folder}data/js/tweets/2012_01.js + 3 more", "x")
        assert f"read from {folder}data/js/tweets/2012_01.js + 1 more, not again from {folder}tweets.csv" in (
            opened.source.notes
        )


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


@pytest.mark.parametrize("container", ["zip", "folder", "folder in a folder"])
def test_an_export_of_facebook_is_one_source_and_only_its_posts_are_read(tmp_path: Path, container: str) -> None:
    match container:
        case "zip":
            write(tmp_path, {"fb": zip_of(FACEBOOK_FILES)})
        case "folder":
            write(tmp_path / "fb", FACEBOOK_FILES)
        case _:
            write(tmp_path / "fb" / "export", FACEBOOK_FILES)
    (opened,) = sources_of(tmp_path / "fb")
    assert opened.source.format == "meta"
    assert list(opened.rows) == ROWS * 2
    assert opened.source.name.endswith("your_posts__check_ins__photos_and_videos_1.json + 1 more")
    not_read, others = opened.source.notes
    assert "readme.txt" in not_read
    assert "profile_information.json" in not_read
    assert others == "5 other files not opened (messages, comments, groups, archived and deleted posts never are)"


def test_with_another_format_the_same_files_of_an_export_are_read(tmp_path: Path) -> None:
    write(tmp_path / "fb", FACEBOOK_FILES)
    rows = read(tmp_path / "fb", file_format="json", column="data.post")
    assert list(rows.values()) == [ROWS, ROWS]
    assert "not read: files/readme.txt" in error_of(tmp_path / "fb", file_format="text").message


def test_an_old_export_of_facebook_and_one_of_instagram_with_threads_are_sources(tmp_path: Path) -> None:
    threads = {"text_post_app_text_posts": [{"media": [{"uri": "", "creation_timestamp": 1, "title": "a thread"}]}]}
    pictures = [{"media": [{"uri": "a.jpg", "creation_timestamp": 1, "title": "a picture"}]}]
    files = {
        "fb/posts/your_posts_1.json": FACEBOOK_POSTS,
        "fb/messages/inbox/tom_1/message_1.json": FACEBOOK_MESSAGES,
        "fb/friends/friends.json": b'[{"text": "not mine"}]',
        "ig/your_instagram_activity/media/posts_1.json": json.dumps(pictures).encode(),
        "ig/your_instagram_activity/media/archived_posts.json": json.dumps(pictures).encode(),
        "ig/your_instagram_activity/threads/threads_and_replies.json": json.dumps(threads).encode(),
        "other/a.csv": CSV,
    }
    by_root = {name[:6]: rows for name, rows in read(write(tmp_path / "f", files)).items()}
    assert by_root == {"f: fb/": ROWS, "f: ig/": ["a picture", "a thread"], "f: oth": ROWS}


@pytest.mark.parametrize("name", ["message_1.json", "inbox/tom_1/message_1.json", "tom_1/message_1.json", "a.jsonl"])
def test_messages_of_facebook_are_never_read_wherever_they_are(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: FACEBOOK_MESSAGES, "b/c.txt": TEXT})
    assert "holds private messages" in error_of(tmp_path / name).message
    if name != "inbox/tom_1/message_1.json":  # the folder of an export
        assert list(read(tmp_path).values()) == [ROWS]
    for member in (name, "*"):
        config = CorpusConfig(files=(str(tmp_path),), member=member)
        assert "a secret" not in str(list(_rows_or_error(config)))


def _rows_or_error(config: CorpusConfig) -> Iterator[object]:
    """Yield the rows of all sources, or the error."""
    try:
        for opened in open_sources(config, ReadProgress()):
            yield from opened.rows
    except CorpusError as error:
        yield error.message


def test_what_was_sent_with_messages_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"tom_1/message_1.json": FACEBOOK_MESSAGES, "tom_1/files/a.txt": b"a secret\n", "b.txt": TEXT})
    assert list(read(tmp_path).values()) == [ROWS]


def test_a_part_of_an_export_without_posts_is_reported_and_nothing_in_it_read(tmp_path: Path) -> None:
    files = {name: content for name, content in FACEBOOK_FILES.items() if "/posts/" not in name}
    error = error_of(write(tmp_path / "fb", files))
    assert "is an export of Facebook or Instagram without a file of posts" in error.message


@pytest.mark.parametrize("name", ["your_posts__check_ins__photos_and_videos_1.html", "posts_1.html"])
def test_an_export_as_html_is_an_error_that_asks_for_json(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: b"<html><body>a nice day</body></html>"})
    write(tmp_path, {"a.zip": zip_of({f"{FACEBOOK}/posts/{name}": b"<html>", "a.txt": TEXT, "b.jpg": b""})})
    write(tmp_path, {"b.zip": zip_of({f"posts/{name}": b"<html>", "b.jpg": b""})})
    assert "in the format JSON" in error_of(tmp_path / name).hint
    assert "in the format JSON" in error_of(tmp_path / "a.zip").hint
    assert "in the format JSON" in error_of(tmp_path / "b.zip").hint


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
        (FACEBOOK_FILES, "readme.txt", ["what is in this export"]),
        (FACEBOOK_FILES, "profile_information.json", ["an address"]),
        (FACEBOOK_FILES, "*_2.json", ROWS),
    ],
)
def test_a_chosen_file_of_a_networks_archive_is_read_by_its_content(
    tmp_path: Path, files: dict[str, bytes], pattern: str, rows: list[str]
) -> None:
    for container in (write(tmp_path / "folder", files), write(tmp_path, {"a.zip": zip_of(files)}) / "a.zip"):
        (opened,) = open_sources(CorpusConfig(files=(str(container),), member=pattern), ReadProgress())
        assert list(opened.rows) == rows


def test_private_files_are_refused_even_if_chosen(tmp_path: Path) -> None:
    write(tmp_path, {"x.zip": zip_of(X_FILES), "fb.zip": zip_of(FACEBOOK_FILES)})
    for archive, member, words in (
        ("x.zip", "deleted-tweets.js", "not the tweets of an X archive"),
        ("fb.zip", "message_1.json", "holds private messages"),
        ("fb.zip", "notes.txt", "holds private messages"),
        ("fb.zip", "comments.json", "has no posts"),
    ):
        config = CorpusConfig(files=(str(tmp_path / archive),), member=member)
        assert words in str(list(_rows_or_error(config)))


# Errors ---------------------------------------------------------------------------------------------------------------


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
    "picture.car": (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture (PNG)"),
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
