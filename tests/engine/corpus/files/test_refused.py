"""What is no text, and exports with other people's words, are refused by their content: nothing of them is a row."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.files.members import with_saved_streams
from tests.engine.corpus import reading
from tests.engine.corpus.files.open_contents import gzip_of
from tests.engine.corpus.reading import Case, Container, Files, cases, read, recorded_cases, texts_of, write

WORDS = "a secret of somebody else"
MINE = "a nice day\nand a good night\n"
READ = "+ 'a nice day'\n+ 'and a good night'"
CONTAINERS: tuple[Container, ...] = ("folder", "zip", "tar.gz")
FILES = {case.name: case.files for case in cases("refused_files")}
"""A file each of exports: "is a chat exported from Telegram: saved messages"."""
WHOLE = {case.name: case.files for case in cases("refused_exports")}


@recorded_cases("refused_files")
def test_a_file_of_an_export_is_refused_under_any_name_in_any_container(case: Case) -> None:
    ((name, content),) = case.files.items()
    what = case.name.partition(": ")[0]
    for shown in (name, "renamed", "a.txt", "a.csv", "a.jsonl"):
        error, hint = read({shown: content}).splitlines()
        assert error == f"! {shown} {what}."
        assert "Save your own texts as CSV" in hint
    text = content.decode() if isinstance(content, bytes) else content
    assert read({"a.gz": gzip_of(text.encode())}).startswith(f"! a.gz {what}.")
    assert read({"a.txt": text.encode("utf-16")}).startswith(f"! a.txt {what}.")
    stray = "other.json" if text.startswith(("{", "[{")) else "other.txt"
    for container in CONTAINERS[:2]:
        among_others = read({stray: content, "b/mine.txt": MINE}, container)
        assert READ in among_others
        assert f"* not read: {stray} ({what})" in among_others.splitlines()
        assert f": {stray} {what}." in read({stray: content}, container)


@recorded_cases("refused_exports")
def test_a_whole_export_is_refused_with_all_that_is_in_it(case: Case) -> None:
    below = {f"in/{path}": content for path, content in case.files.items()}
    for container in CONTAINERS:
        for files in (case.files, below):
            error, hint = read(files, container).splitlines()
            assert error.startswith("! f")
            assert error.endswith(f" {case.name.partition(':')[0]}.")
            assert "Save your own texts as CSV" in hint
        beside = read({**below, "mine.txt": MINE}, container)
        assert READ in beside
        assert WORDS not in beside


CHAT = FILES["is a chat exported from WhatsApp: [31/12/19, 21:41:00]"]["_chat.txt"]
MESSAGES = FILES["has private messages, which are never read: a conversation"]["message_1.json"]
FACEBOOK = WHOLE["is an export of Facebook, Instagram or Threads: Facebook"]
PRIVATE = {"your_facebook_activity/messages/inbox/tom_1/files/notes.txt": WORDS}


def test_an_explicit_format_reads_an_export_but_for_private_messages(snapshot: SnapshotAssertion) -> None:
    lines = str(CHAT).splitlines()
    assert texts_of({"_chat.txt": CHAT}, format="text") == lines
    assert texts_of({"_chat.txt": CHAT, "notes.txt": "one"}, "zip", format="text") == [*lines, "one"]
    for name, file_format, column in (
        ("is a chat exported from Telegram: a chat", "json", None),
        ("is an export of Discord: a channel as CSV", "csv", None),
        ("is an export of Facebook, Instagram or Threads: posts", "json", "data.post"),
    ):
        assert texts_of(FILES[name], format=file_format, column=column) == [WORDS]
    assert read({**FACEBOOK, **PRIVATE, "b.txt": "one"}, "zip", format="text") == snapshot


@pytest.mark.parametrize("file_format", ["auto", "text", "jsonl", "x", "mastodon"])
def test_what_is_private_is_not_read_whatever_the_options(file_format: str) -> None:
    kinds = ("has private messages", "is a private", "is no file of tweets")
    private = {case: files for case, files in FILES.items() if case.startswith(kinds)}
    for case, files in private.items():
        ((name, content),) = files.items()
        what = case.partition(":")[0]
        for shown in (name, "a.txt"):
            assert read({shown: content}, format=file_format).startswith(f"! {shown} {what}")
            assert read({shown: content}, format=file_format, encoding="latin-1").startswith(f"! {shown} {what}")
            below = {f"tom_1/{shown}": content, "b.txt": "one"}
            assert WORDS not in read(below, format=file_format)
            assert f" {what}" in read(below, member=f"*{shown.rpartition(']')[2]}", format=file_format)
    for page in ({"message_1.html": WORDS}, {"message_1.html.gz": gzip_of(WORDS.encode())}):
        assert " has private messages" in read(page, format=file_format)
    for beside in ({"message_1.json": MESSAGES}, {"message_1.html": WORDS}):
        for member in (None, "notes.txt"):
            thread = {**beside, "files/notes.txt": WORDS}
            assert "! f has private messages" in read(thread, format=file_format, member=member)


def test_a_file_in_a_folder_of_private_messages_is_not_read_whichever_folder_is_given(tmp_path: Path) -> None:
    write(tmp_path, PRIVATE)
    thread = (tmp_path / next(iter(PRIVATE))).parent.parent
    (tmp_path / "link").symlink_to(thread)
    for path in (thread, thread / "files", thread / "files" / "notes.txt", tmp_path / "link" / "files"):
        for member in (None, "notes.txt") if path.is_dir() else (None,):
            config = CorpusConfig(files=(str(path),), member=member, format="text")
            assert " has private messages, which are never read." in next(reading.read_lines(config))
    own = write(tmp_path / "messages" / "inbox", {"tweets.txt": MINE, "mia/tweets.txt": MINE})
    (own / "mia" / "message.json").touch()
    for path in (own / "tweets.txt", own / "mia" / "tweets.txt", own):
        assert READ in "\n".join(reading.read_lines(CorpusConfig(files=(str(path),))))
    (own / "mia" / "message_2.json").touch()
    config = CorpusConfig(files=(str(own / "mia" / "tweets.txt"),))
    assert " has private messages, which are never read." in next(reading.read_lines(config))


def test_a_refused_file_is_not_read_even_if_it_is_chosen_but_another_one_in_the_export_is() -> None:
    chosen: tuple[tuple[Files, str], ...] = (
        (FACEBOOK, "comments.json"),
        ({"message_1.json": MESSAGES}, "message_1.json"),
        (PRIVATE, "notes.txt"),
        ({"_chat.txt": CHAT}, "_chat.txt"),
    )
    for files, member in chosen:
        for container in CONTAINERS[:2]:
            error, hint = read({**files, "mine.txt": MINE}, container, member=member).splitlines()
            assert f"{member} " in error
            assert "Save your own texts" in hint
    assert READ in read({"_chat.txt": CHAT, "mine.txt": MINE}, "zip", member="mine.txt")


def test_an_export_that_is_piped_in_is_refused(tmp_path: Path) -> None:
    files = with_saved_streams(("-",), io.BytesIO(str(CHAT).encode()), tmp_path)
    assert next(reading.read_lines(CorpusConfig(files=files))) == "! standard input is a chat exported from WhatsApp."


[NO_TEXTS] = (case.files for case in cases("no_texts"))


def test_what_is_no_text_is_named_with_what_to_do(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(read({name: content}) for name, content in NO_TEXTS.items()) == snapshot
    assert "! a.docx is damaged" in read({"a.docx": NO_TEXTS["a.docx"][:-30]})


@pytest.mark.parametrize("name", NO_TEXTS)
def test_what_is_no_text_is_so_under_another_name_and_compressed_and_whatever_the_format(name: str) -> None:
    what = read({name: NO_TEXTS[name]}).splitlines()[0].partition(" ")[2].partition(" ")[2]
    if name.startswith("garbage"):
        what = "is not a text file."
    for files in ({"a.txt": NO_TEXTS[name]}, {"a.txt": gzip_of(reading.encoded(NO_TEXTS[name]))}):
        for file_format in ("auto", "text", "json"):
            assert read(files, format=file_format).startswith(f"! a.txt {what}"), file_format


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.arrow", "a.feather"])
def test_a_table_that_is_not_read_is_named_among_others(name: str) -> None:
    error, hint = read({name: NO_TEXTS[name]}).splitlines()
    what = error.partition(f"{name} ")[2].removesuffix(".")
    for container in CONTAINERS[:2]:
        beside = read({name: NO_TEXTS[name], "mine.txt": MINE}, container)
        assert READ in beside
        assert f"* not read: {name} ({what})" in beside
        alone = read({name: NO_TEXTS[name]}, container).splitlines()
        assert alone == [f"! f{'.zip' if container == 'zip' else ''}: {name} {what}.", hint]
