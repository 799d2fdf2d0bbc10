"""Of Discord, a data package's messages are read, and one author's of exported channels, with codes as words."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from engine.corpus.readers.chats.discord_files import archive_root, looks_like
from engine.corpus.readers.chats.discord_rows import discord_rows
from engine.corpus.types import DroppedRow, Row
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import zip_of
from tests.engine.corpus.readers.chats.reading import OTHERS_WORDS, error_of, loaded, reasons, rows_of, write

IDS = ("101234567890123456", "201234567890123456", "301234567890123456")


def package_json(*texts: object) -> bytes:
    rows = [
        {"ID": 1101234567890123456 + n, "Timestamp": "2024-05-01 10:00:00", "Contents": text, "Attachments": ""}
        for n, text in enumerate(texts)
    ]
    return json.dumps(rows, ensure_ascii=False).encode()


def table(header: str, *rows: tuple[object, ...]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines).writerows([header.split(","), *rows])
    return lines.getvalue().encode()


def package_table(*texts: str) -> bytes:
    rows = [(n, "2021-01-01 10:00:00.000000+00:00", text, "") for n, text in enumerate(texts)]
    return table("ID,Timestamp,Contents,Attachments", *rows)


def channel(number: int, kind: object, **fields: object) -> bytes:
    return json.dumps({"id": IDS[number], "type": kind, **fields}).encode()


def package(top: str, folder: str, prefix: str) -> dict[str, bytes]:
    """Return a package: a channel of a server, a direct one and one whose messages were deleted."""
    paths = [f"{folder}{prefix}{each}/" for each in IDS]
    files = {
        "README.txt": b"Welcome to your package!",
        "account/user.json": json.dumps({"id": "5", "username": "mia", "notes": {"7": OTHERS_WORDS}}).encode(),
        "activity/analytics/events-2024.json": b'{"event_type": "x"}\n{"event_type": "y"}\n',
        f"{folder}index.json": json.dumps({IDS[0]: "general in Friends", IDS[1]: "Direct Message with tom"}).encode(),
        f"{paths[0]}channel.json": channel(0, "GUILD_TEXT", name="general", guild={"id": "9", "name": "Friends"}),
        f"{paths[0]}messages.json": package_json("one", ""),
        f"{paths[1]}channel.json": channel(1, "DM", recipients=["5", "7"]),
        f"{paths[1]}messages.json": package_json("two", "three"),
        f"{paths[2]}channel.json": channel(2, "GROUP_DM", name=None, recipients=[]),
        f"{paths[2]}messages.json": b"[]",
    }
    return {f"{top}{path}": data for path, data in files.items()}


def message(text: object, user: int = 5, kind: object = "Default", **author: object) -> dict[str, Any]:
    names = {5: ("mia", "Mia"), 7: ("tom", "Tom")}.get(user, (f"user_{user}", "Alex"))
    shown = {"id": str(user), "name": names[0], "discriminator": "0000", "nickname": names[1], "isBot": False, **author}
    return {"id": "8", "type": kind, "timestamp": "2024-05-01T10:00:00+00:00", "content": text, "author": shown}


def exported(*messages: object, kind: object = "GuildTextChat") -> bytes:
    value = {
        "guild": {"id": "9", "name": 'Friends {of} "us"', "iconUrl": ""},
        "channel": {"id": IDS[0], "type": kind, "categoryId": None, "name": "general", "topic": OTHERS_WORDS},
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2024-05-02T10:00:00+00:00",
        "messages": messages,
        "messageCount": len(messages),
    }
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def read(data: bytes, author: str | None = None, name: str = "a.json") -> tuple[list[Row], list[str]]:
    return rows_of(discord_rows, {name: data}, "discord", author)


def error(data: bytes, author: str | None = None) -> CorpusError:
    return error_of(discord_rows, {"a.json": data}, author)


# The data package -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["folder", "package.zip"])
@pytest.mark.parametrize(
    ("top", "folder", "prefix"),
    [("", "messages/", "c"), ("package/", "Nachrichten/", "c"), ("", "Messages/", "")],
)
def test_a_package_is_one_source_of_which_only_the_messages_are_read(
    tmp_path: Path, container: str, top: str, folder: str, prefix: str
) -> None:
    files = package(top, folder, prefix)
    write(tmp_path / container, files) if container == "folder" else write(tmp_path, {container: zip_of(files)})
    tweets, (report,) = loaded(tmp_path / container)
    assert sorted(tweets) == ["one", "three", "two"]
    assert report.format == "discord"
    assert "messages.json + 4 more" in report.name
    assert report.dropped == {"without text": 1}
    assert "2 messages from private chats" in report.notes
    assert any(note.startswith("not read: ") and "README.txt" in note for note in report.notes)


def test_channels_are_private_by_their_type_in_older_packages_too() -> None:
    kinds = {0: 0, 1: 1, 2: 3}
    files = {f"messages/{IDS[n]}/channel.json": channel(n, kind) for n, kind in kinds.items()}
    files |= {f"messages/{IDS[n]}/messages.csv": package_table(f"text {n}", "of two\nlines, “x”") for n in kinds}
    rows, notes = rows_of(discord_rows, files, "discord")
    assert rows == [row for n in kinds for row in (f"text {n}", "of two\nlines, “x”")]
    assert notes == ["4 messages from private chats"]


@pytest.mark.parametrize(("data", "name"), [(package_json("one"), "messages.json"), (package_table("one"), "a.csv")])
def test_a_single_file_of_the_package_is_read_and_the_author_not_used(tmp_path: Path, data: bytes, name: str) -> None:
    tweets, (report,) = loaded(write(tmp_path, {name: data}) / name, "Zoe")
    assert (tweets, report.format) == (["one"], "discord")
    assert report.notes == ("--author is not used for a data package, which has only its owner's messages",)


def test_damaged_records_and_rows_without_text_are_dropped() -> None:
    damaged = package_table("one") + b"3,2021\r\n\r\n" + b'4,2021,"never closed,\r\n5,2021,two,\r\n'
    rows = ["one", "with too few columns", "with a quotation mark that is never closed", "two"]
    assert reasons(read(damaged)[0]) == rows
    assert reasons(read(package_json("one", None, 5, " "))[0]) == ["one", *["without text"] * 3]
    assert reasons(read(package_json("one")[:-1] + b", 5, []]")[0]) == ["one", *["without text"] * 2]


# DiscordChatExporter --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("author", ["5", "mia", "@MIA", "Mia"])
def test_of_an_exported_channel_only_the_messages_of_the_author_are_read(author: str) -> None:
    rows, notes = read(
        exported(
            message("one &amp; <b>"),
            message(OTHERS_WORDS, 7),
            message(OTHERS_WORDS, 7, "Reply"),
            message("two", 5, "Reply"),
            message("Joined the server.", 5, "GuildMemberJoin"),
            message("", 5),
            5,
            {"type": "Default", "author": None, "content": OTHERS_WORDS},
            kind="DirectTextChat",
        ),
        author,
    )
    others = ["of another author"] * 2
    assert reasons(rows)[:6] == ["one &amp;amp; <b>", *others, "two", "system message", "without text"]
    assert reasons(rows)[6:] == ["system message"] * 2
    assert OTHERS_WORDS not in str(rows)
    assert notes == ["messages of mia (5)", "3 messages from private chats"]


def test_without_an_author_and_with_an_unknown_or_ambiguous_one_the_error_lists_the_authors() -> None:
    data = exported(message("a"), message(OTHERS_WORDS, 11), message("b", 12), message("c", 12))
    listed = "user_12 (12): 2, mia (5): 1, user_11 (11): 1."
    assert error(data).hint == f"Set --author to your name or id: {listed}"
    assert error(data, "Zoe").hint == f"Its authors, for --author: {listed}"
    found = error(data, "alex")
    assert (found.message, found.hint) == (
        "chat has several authors named alex.",
        "Set --author to an id: user_12 (12): 2, user_11 (11): 1.",
    )
    assert reasons(read(data, "user_11")[0])[1] == OTHERS_WORDS


def test_a_channel_exported_as_csv_is_read_as_the_same_messages() -> None:
    rows = [("5", "mia", "2024", "one,\ntwo", "", ""), ("7", "tom", "2024", OTHERS_WORDS, "", "")]
    data = table("AuthorID,Author,Date,Content,Attachments,Reactions", *rows) + b'7,tom,2024,"' + OTHERS_WORDS.encode()
    found, notes = read(data, "mia", "a.csv")
    assert reasons(found) == ["one,\ntwo", "of another author", "with a quotation mark that is never closed"]
    assert all(not row.example for row in found if isinstance(row, DroppedRow))
    assert notes == ["messages of mia (5)"]


def test_exported_channels_in_a_folder_are_one_source_and_what_was_sent_in_them_is_never_read(tmp_path: Path) -> None:
    files = {
        f"Friends - general [{IDS[0]}].json": exported(message("one"), message(OTHERS_WORDS, 7)),
        f"Friends - general [{IDS[0]}] [part 2].json": exported(message("two")),
        f"Friends - games [{IDS[1]}] (after 2024-01-01).json": exported(message(OTHERS_WORDS, 7)),
        f"Friends - games [{IDS[1]}].json_Files/notes-1A2B.txt": OTHERS_WORDS.encode(),
    }
    tweets, (report,) = loaded(write(tmp_path, files), "mia")
    assert sorted(tweets) == ["one", "two"]
    assert report.dropped == {"of another author": 2}
    assert any(note.startswith("not read: ") and "notes-1A2B.txt" in note for note in report.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hi <@123456>, <@!123456> and <@&7>", "hi @user, @user and @role"),
        ("see <#123> <:smile_1:456><a:party:789>!", "see #channel :smile_1::party:!"),
        ("</play now:123> at <t:1714557600:R> or <t:5>", "/play now at  or "),
        ("<https://a.example/b?c=d>", "https://a.example/b?c=d"),
        ("I <3 <b> <@mia> <#> <:x:> <t:x>", "I <3 <b> <@mia> <#> <:x:> <t:x>"),
    ],
)
def test_codes_in_a_text_become_words_without_names(text: str, words: str) -> None:
    assert read(package_json(text))[0] == [words]


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_file_of_another_origin_and_one_without_messages_are_errors() -> None:
    assert "is no file of Discord's data package or of DiscordChatExporter" in error(b'{"id": 5}').message
    for empty in (b"[]", exported(), channel(0, "DM"), b"ID,Timestamp,Contents,Attachments\r\n"):
        assert error(empty).message == "chat has no messages."
    assert "chat: a.json is not valid JSON near line" in error(exported(message("a"))[:-99], "mia").message


@pytest.mark.parametrize(
    "data",
    [
        b'{"101234567890123456": "a tweet by its id"}',
        b'{"id": "101234567890123456", "type": 1, "text": "a tweet"}',
        b'{"id": "101234567890123456", "type": 1',
        b'[{"ID": 5, "Text": "a tweet"}]',
        b"ID,Timestamp,Contents\n1,2,a tweet\n",
        b'ID,Timestamp,Contents,Attachments "\n1,2,a tweet,\n',
        b'{"guild": "x", "channel": {"type": 0}, "messages": []}',
    ],
)
def test_other_json_and_tables_are_not_detected_as_files_of_discord(data: bytes) -> None:
    assert not looks_like(data)


@pytest.mark.parametrize(
    ("name", "root"),
    [
        (f"messages/c{IDS[0]}/messages.json", ""),
        (f"package/Mensajes/c{IDS[0]}/channel.json", "package/"),
        (f"c{IDS[0]}/messages.csv", ""),
        ("mine/messages.json", "mine/"),
        (f"mine/Friends - general [{IDS[0]}].json", "mine/"),
        ("messages/index.json", None),
        ("account/user.json", None),
        ("mine/general [2].json", None),
    ],
)
def test_the_files_that_are_read_are_detected_by_their_path(name: str, root: str | None) -> None:
    assert archive_root(name) == root
