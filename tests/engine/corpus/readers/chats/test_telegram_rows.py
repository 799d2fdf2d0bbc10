"""Of Telegram's exports one author's messages are read, in one chat or in all chats of an account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.corpus.readers.chats.telegram_rows import archive_root, looks_like, telegram_rows
from engine.corpus.readers.json_files.json_window import MAX_VALUE_CHARS
from engine.corpus.types import Row
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import zip_of
from tests.engine.corpus.readers.chats.reading import OTHERS_WORDS, error_of, loaded, reasons, rows_of, write


def message(text: object, sender: int = 1, name: str | None = "Mia", **fields: object) -> dict[str, Any]:
    head = {"id": 7, "type": "message", "date": "2024-05-01T10:00:00", "date_unixtime": "1714557600"}
    return {**head, "from": name, "from_id": f"user{sender}", "text": text, "text_entities": [], **fields}


def others(text: str = OTHERS_WORDS, **fields: object) -> dict[str, Any]:
    return message(text, 2, "Tom", **fields)


def chat(*messages: object, kind: str = "private_group", chat_id: int = 99, name: str = "Friends") -> dict[str, Any]:
    named = {} if kind == "saved_messages" else {"name": name}
    return {**named, "type": kind, "id": chat_id, "messages": messages}


def account(*chats: object, left: tuple[object, ...] = (), **sections: object) -> dict[str, Any]:
    return {
        "about": "Here is the data you requested.",
        "personal_information": {"user_id": 1, "first_name": "Mia", "last_name": "", "bio": OTHERS_WORDS},
        "contacts": {"about": "Below.", "list": [{"user_id": 2, "first_name": "Tom"}]},
        **sections,
        "chats": {"about": "This page lists all chats.", "list": chats},
        "left_chats": {"about": "This page lists left chats.", "list": left},
    }


def exported(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def read(value: object, author: str | None = None) -> tuple[list[Row], list[str]]:
    return rows_of(telegram_rows, {"result.json": exported(value)}, "telegram", author)


def error(value: object, author: str | None = None) -> CorpusError:
    return error_of(telegram_rows, {"result.json": exported(value)}, author)


@pytest.mark.parametrize("author", ["Mia", "mia", "user1"])
def test_of_a_chat_only_the_messages_of_the_author_are_read(author: str) -> None:
    rows, notes = read(chat(message("one"), others(), message("two &amp; <b>")), author)
    assert reasons(rows) == ["one", "of another author", "two &amp;amp; <b>"]
    assert OTHERS_WORDS not in str(rows)
    assert notes == ["messages of Mia (user1)", "2 messages from private chats"]


def test_the_parts_of_a_formatted_text_are_joined() -> None:
    parts = ["see ", {"type": "link", "text": "a.example"}, {"type": "bold", "text": "!"}, " and ", 5, {"text": None}]
    assert read(chat(message(parts), message([])), "Mia")[0][0] == "see a.example! and "


def test_service_messages_forwarded_texts_texts_of_bots_and_media_are_dropped() -> None:
    rows, _ = read(
        chat(
            {"id": 1, "type": "service", "actor": "Mia", "actor_id": "user1", "action": "phone_call", "text": ""},
            {"id": 2, "type": "unsupported"},
            message(OTHERS_WORDS, forwarded_from="Tom"),
            message(OTHERS_WORDS, forwarded_from=None),
            message(OTHERS_WORDS, via_bot="@gif"),
            message("", photo="photos/1.jpg"),
            message("a caption", photo="photos/1.jpg"),
            5,
        ),
        "Mia",
    )
    dropped = ["system message"] * 2 + ["forwarded"] * 2 + ["made by a bot", "without text"]
    assert reasons(rows) == [*dropped, "a caption", "system message"]
    assert OTHERS_WORDS not in str(rows)


def test_of_an_account_the_messages_of_its_owner_are_read_in_all_chats() -> None:
    value = account(
        chat(others(), message("to Tom"), kind="personal_chat", chat_id=2, name="Tom"),
        chat(message("in public"), kind="public_supergroup"),
        chat(message("to myself"), message(OTHERS_WORDS, forwarded_from="Tom"), kind="saved_messages", chat_id=1),
        chat(message(OTHERS_WORDS, 5, "News", from_id="channel5"), kind="public_channel", chat_id=5, name="News"),
        left=(chat(message("before I left")),),
        sessions={"about": "x", "list": [{"last_ip": "192.0.2.1"}]},
    )
    rows, notes = read(value)
    assert [row for row in rows if isinstance(row, str)] == ["to Tom", "in public", "to myself", "before I left"]
    assert reasons(rows).count("of another author") == 2
    assert OTHERS_WORDS not in str(rows)
    assert notes == ["messages of Mia (user1)", "4 messages from private chats"]


def test_the_posts_of_a_channel_are_its_own_and_saved_messages_their_owners() -> None:
    posts = chat(
        message("a post", 5, "News", from_id="channel5"),
        message("a signed post", 1, "Mia", author="Mia K."),
        kind="public_channel",
        chat_id=5,
        name="News",
    )
    assert read(posts) == (["a post", "a signed post"], ["messages of News (channel5)"])
    assert reasons(read(posts, "Mia K.")[0]) == ["of another author", "a signed post"]
    assert read(chat(message("to myself"), kind="saved_messages", chat_id=1))[0] == ["to myself"]


def test_of_an_account_without_its_owner_the_posts_of_a_channel_may_be_anothers() -> None:
    news = chat(message(OTHERS_WORDS, 5, "News", from_id="channel5"), kind="public_channel", chat_id=5, name="News")
    value = account(news, chat(message("to myself"), kind="saved_messages", chat_id=1))
    del value["personal_information"]
    found = error(value)
    assert "--author is not set" in found.message
    assert "News (channel5): 1" in found.hint


def test_exports_before_2021_have_ids_that_are_numbers() -> None:
    old = chat(message("one", from_id=1), others(from_id=2))
    assert reasons(read(old, "user1")[0]) == ["one", "of another author"]
    assert reasons(read(account(old))[0]) == ["one", "of another author"]


def test_without_an_author_the_error_lists_the_authors_and_no_text() -> None:
    people = [message(OTHERS_WORDS, number, f"Person {number}\x1b[31m") for number in range(3, 18)]
    found = error(chat(*people, message(OTHERS_WORDS), others(), others()))
    assert found.message == "chat is a chat, of which one author's messages are learnt, and --author is not set."
    assert found.hint.startswith("Set --author to your name or id: Tom (user2): 2, Person 3 (user3): 1, ")
    assert found.hint.endswith(" and 5 others.")
    assert OTHERS_WORDS not in found.hint
    assert "\x1b" not in found.hint


def test_an_author_who_does_not_occur_is_an_error_that_lists_the_authors() -> None:
    found = error(chat(others(), message(OTHERS_WORDS, name=None)), "Zoe")
    assert found.message == "chat has no messages of Zoe."
    assert found.hint == "Its authors, for --author: Tom (user2): 1, without a name (user1): 1."
    assert error(account(chat(others()))).message == "chat has no messages of its owner."


def test_a_name_of_several_people_is_an_error_that_lists_their_ids() -> None:
    namesakes = chat(message("a", 1, "Alex"), message("b", 2, "alex"), message("c", 2, "alex"))
    found = error(namesakes, "Alex")
    assert found.message == "chat has several authors named Alex."
    assert found.hint == "Set --author to an id: alex (user2): 2, Alex (user1): 1."
    assert reasons(read(namesakes, "user2")[0]) == ["of another author", "b", "c"]


def test_an_export_without_chats_or_messages_is_an_error() -> None:
    for value in ({"about": "x", "personal_information": {"user_id": 1}}, [1], {"chats": 5, "messages": {}}):
        assert error(value).message == "chat: result.json has no chats."
    assert error(chat()).message == "chat has no messages."


def test_control_characters_that_telegram_writes_as_invalid_escapes_are_blanks() -> None:
    data = exported(chat(message("a?b"), message("C:\\x1f, c?"))).replace(b"?", b"\\x0B")
    rows, _ = rows_of(telegram_rows, {"result.json": data}, "telegram", "Mia")
    assert rows == ["a b", "C:\\x1f, c "]


@pytest.mark.parametrize("num_bytes", range(1, 7))
@pytest.mark.parametrize(("escape", "text"), [(r"\\\x0B", "\\ "), (r"\\\\x0B", "\\\\x0B")])
def test_only_an_invalid_escape_that_two_chunks_share_is_a_blank(num_bytes: int, escape: str, text: str) -> None:
    data = exported(chat(message("?b")))
    padding = "p" * ((1 << 18) - data.index(b"?") - num_bytes)
    data = data.replace(b"?", f"{padding}{escape}".encode())
    rows, _ = rows_of(telegram_rows, {"result.json": data}, "telegram", "Mia")
    assert rows == [f"{padding}{text}b"]


def test_a_chat_longer_than_any_json_value_may_be_is_streamed() -> None:
    long = others("x" * (MAX_VALUE_CHARS // 8))
    value = account(chat(*[long] * 9, message("at its end")), stories=[{"media": "y" * (MAX_VALUE_CHARS // 2)}] * 3)
    assert read(value)[0][-1] == "at its end"


def test_a_truncated_or_deeply_nested_export_is_an_error() -> None:
    data = exported(chat(message("one"), message("two")))
    for broken in (data[:-200], data.replace(b'"two"', b"[" * 100_000)):
        found = error_of(telegram_rows, {"result.json": broken}, "Mia")
        assert "chat: result.json is not valid JSON near line" in found.message


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("result.json", ""),
        ("ChatExport_2024-05-01/result.json", ""),
        ("ChatExport_2024-05-01 (1)/result.json", ""),
        ("mine/DataExport_2024-05-01/result.json", "mine/"),
        ("mine/result.json", "mine/"),
        ("mine/files/notes.json", None),
        ("my_result.json", None),
    ],
)
def test_the_file_that_is_read_is_detected_by_its_name(name: str, root: str | None) -> None:
    assert archive_root(name) == root


@pytest.mark.parametrize("container", ["result.json", "renamed.json", "folder", "export.zip"])
def test_an_export_is_detected_and_files_sent_in_the_chats_are_never_read(tmp_path: Path, container: str) -> None:
    export = exported(chat(message("one"), others(), message("two"), kind="personal_chat"))
    files = {
        "ChatExport_1/result.json": export,
        "ChatExport_1/files/notes.txt": OTHERS_WORDS.encode(),
        "a.jpg": b"\xff",
    }
    if container == "folder":
        write(tmp_path / container, files)
    else:
        write(tmp_path, {container: zip_of(files) if container.endswith("zip") else export})
    tweets, (report,) = loaded(tmp_path / container, "Mia")
    assert tweets == ["one", "two"]
    assert report.format == "telegram"
    if not container.endswith("json"):
        assert "not read: ChatExport_1/files/notes.txt" in report.notes


def test_several_exports_in_a_folder_are_one_source(tmp_path: Path) -> None:
    with_mia, without = chat(others(), message("one")), chat(others())
    write(tmp_path, {f"ChatExport_{n}/result.json": exported(each) for n, each in enumerate((with_mia, without))})
    tweets, (report,) = loaded(tmp_path, "Mia")
    assert tweets == ["one"]
    assert report.dropped == {"of another author": 2}
    assert report.examples == {}


@pytest.mark.parametrize(
    "part",
    [
        [message("one"), others()],
        {"messages": [others(), message("one")]},
        {"name": "Friends", "messages": [others(), message("one")]},
        [chat(others(), message("one"))],
        {"about": "This page lists all chats.", "list": [chat(others(), message("one"))]},
    ],
)
def test_of_what_was_cut_out_of_an_export_only_the_messages_of_the_author_are_read(
    tmp_path: Path, part: object
) -> None:
    write(tmp_path, {"cut.json": exported(part)})
    tweets, (report,) = loaded(tmp_path / "cut.json", "Mia")
    assert (tweets, report.format, report.dropped) == (["one"], "telegram", {"of another author": 1})


@pytest.mark.parametrize(
    "value",
    [
        chat(message("a"), kind="verify_codes", name='a "b" \x1f'),
        chat(message("a"), kind="saved_messages"),
        {"about": "x", "chats": {"about": "x", "list": [chat(message("a"), kind="personal_chat")]}},
        {"about": "x", "profile_pictures": [], "chats": {"about": "x", "list": [chat(message("a"))]}},
    ],
)
def test_exports_of_other_chats_and_other_selections_are_detected(value: object) -> None:
    assert looks_like(b"\xef\xbb\xbf" + exported(value).replace(b"\\u001f", b"\\x1F"))


def test_other_json_with_such_keys_is_not_detected_as_an_export() -> None:
    for value in (
        {"name": "x", "type": "post", "id": 5, "messages": []},
        {"about": "x", "text": "y"},
        [message(OTHERS_WORDS) | {"type": "post"}],
    ):
        assert not looks_like(exported(value))
