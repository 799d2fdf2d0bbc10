"""Of WhatsApp's exports one author's words are read, whatever the phone's language, without dates, names and media."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.corpus.readers.chats.whatsapp_rows import archive_root, looks_like, whatsapp_rows
from engine.corpus.readers.text_rows import MAX_PARAGRAPH_CHARS
from engine.corpus.types import DroppedRow, Row
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import zip_of
from tests.engine.corpus.readers.chats.reading import OTHERS_WORDS, error_of, loaded, reasons, rows_of, write

LRM = "\u200e"
IOS, ANDROID = "[31/12/19, 21:41:00] ", "31/12/19, 21:41 - "
BEGINNINGS = [
    IOS,
    f"{LRM}{IOS}",
    "[31.12.19, 21:41:00] ",
    "[2019-12-31, 9:41:00 p.m.] ",
    "[12/31/19, 9:41:00\u202fPM] ",
    "[12.3.2022 klo 14.08.18] ",
    "[31/12/2019 à 21:41:00] ",
    "[2019/12/31 下午9:41:00] ",
    "[2019. 12. 31. 오후 9:41:00] ",
    "[\u200f31\u200f/12\u200f/2019, 9:41:00 م] ",
    ANDROID,
    "12/31/19, 9:41\u202fPM - ",
    "31/12/2019, 9:41 am - ",
    "31.12.19, 21:41 - ",
    "31-12-19 21:41 - ",
    "2019-12-31, 9:41 p.m. - ",
    "20/6/2017 8:28 p.\u00a0m. - ",
    "31/12/2019 21.41 - ",
    "31.12.2019 klo 21.41 - ",
    "31.12.2019 г., 21:41 ч. - ",
    "2019. 12. 31. 21:41 - ",
    "2019/12/31 下午9:41 - ",
    "2019년 12월 31일 오후 9:41 - ",
    "31. 12. 2019. 21:41 - ",
    "21:41, 31/12/2019 - ",
    "31.12.15 21:41:00: ",
    "31.12.15, 21.41: ",
    "[9:41 PM, 12/31/2019] ",
    "[31/12, 21:41] ",
    "٣١\u200f/١٢\u200f/٢٠١٩, ٩:٤١ م - ",
]


def chat(*messages: str, begin: str = IOS) -> bytes:
    return "".join(f"{begin}{message}\n" for message in messages).encode()


def read(data: bytes, author: str = "Mia") -> tuple[list[Row], list[str]]:
    return rows_of(whatsapp_rows, {"_chat.txt": data}, "whatsapp", author)


def texts_of(*messages: str, begin: str = IOS, author: str = "Mia") -> list[str]:
    return reasons(read(chat(*messages, begin=begin), author)[0])


def error(data: bytes, author: str | None = None) -> CorpusError:
    return error_of(whatsapp_rows, {"_chat.txt": data}, author)


@pytest.mark.parametrize("begin", BEGINNINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_dates_and_names_are_stripped_in_every_language(begin: str, end: str) -> None:
    data = chat("Mia: at 9:41 - a: b & c", f"Tom: {OTHERS_WORDS}", "Mia: two", begin=begin).replace(b"\n", end.encode())
    assert looks_like(data)
    rows, notes = read(data)
    assert reasons(rows) == ["at 9:41 - a: b & c", "of another author", "two"]
    assert OTHERS_WORDS not in str(rows)
    assert notes == ["messages of Mia", "2 messages from private chats"]


def test_a_message_goes_on_to_the_next_one_and_other_styles_of_date_belong_to_it() -> None:
    lines = ["Mia: one", "", "31/12/19, 21:41 - Tom: quoted", "[31/12, 21:41] Tom: quoted", " two "]
    own = "\n".join(lines)
    rows = texts_of(own, f"Tom: x\n{OTHERS_WORDS}\n[not a date] Mia: y", "Mia: three")
    assert rows == [own.removeprefix("Mia: ").rstrip(), "of another author", "three"]


@pytest.mark.parametrize("begin", [IOS, ANDROID])
def test_lines_without_a_name_are_system_messages(begin: str) -> None:
    rows = texts_of(
        "Messages and calls are end-to-end encrypted. Tap to learn more.",
        "Tom changed the subject from “Trip: Rome” to “Trip: Oslo”",
        f"{LRM}Tom added you",
        "Mia: hello",
        f"{'x' * 100}: y",
        begin=begin,
    )
    assert rows == ["system message"] * 3 + ["hello", "system message"]


@pytest.mark.parametrize(
    "text",
    [
        f"{LRM}image omitted",
        f"{LRM}Bild weggelassen",
        f"{LRM}<attached: 00000012-PHOTO-2019-12-31-21-41-00.jpg>",
        f"report.pdf • {LRM}3 pages {LRM}document omitted",
        f"{LRM}You deleted this message.",
        f"{LRM}Messages and calls are end-to-end encrypted. Only people in this chat can read, or listen to, them.",
        f"{LRM}OPTION: Pizza ({LRM}2 votes)\n{LRM}OPTION: Soup ({LRM}1 vote)",
        f"2015-08-04-PHOTO-00004762.jpg <{LRM}attached>",
        "< attached: 00000042-PHOTO-2020-06-07-15-13-20.jpg >",
        "<Media omitted>",
        "<Multimedia omitido>",
        "<Без медиафайлов>",
        "\u200f<המדיה לא נכללה>",
        f"{LRM}IMG-20191231-WA0001.jpg (file attached)",
        "PTT-20250328-WA0014.opus (archivo adjunto)",
        "my notes.v2.pdf (Datei angehängt)",
        "This message was deleted",
        "Du hast diese Nachricht gelöscht.",
        "null",
        "location: https://maps.google.com/?q=52.5,-13.4",
        "",
    ],
)
@pytest.mark.parametrize("begin", [IOS, ANDROID])
def test_media_deleted_messages_and_notices_are_without_text(text: str, begin: str) -> None:
    assert texts_of(f"Mia: {text}", begin=begin) == ["without text"]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        (f"A caption {LRM}<attached: 00000012-PHOTO.jpg>", "A caption"),
        (f"A caption {LRM}image omitted", "A caption"),
        (f"{LRM}IMG-20191231-WA0001.jpg (file attached)\nA caption", "A caption"),
        ("<Media omitted>\nA caption", "A caption"),
        (f"corrected {LRM}<This message was edited>", "corrected"),
        ("corrected <Diese Nachricht wurde bearbeitet.>", "corrected"),
        (f"{LRM}POLL:\nWhat to eat?\n{LRM}OPTION: Pizza ({LRM}2 votes)", "What to eat?"),
        (f"@{LRM}Tom hello", f"@{LRM}Tom hello"),
        ("I <3 <b>this</b> (file attached)", "I <3 <b>this</b> (file attached)"),
        ("see https://a.example/b.html (nice)", "see https://a.example/b.html (nice)"),
        ("this message was deleted by me", "this message was deleted by me"),
    ],
)
def test_the_authors_words_are_kept_without_what_the_app_added(text: str, own: str) -> None:
    assert texts_of(f"Mia: {text}") == [own]


@pytest.mark.parametrize(
    ("shown", "author"),
    [
        ("~\u202fMia", "Mia"),
        ("\u202a+49\u00a0170\u00a01234567\u202c", "+49 170 1234567"),
        ("MÍA 🌻", "mía 🌻"),
        ("Work: Mia", "Work: Mia"),
        ("Mia :)", "Mia :)"),
        ('Mia "Mimi" L.', 'mia "mimi" l.'),
        ("Mia-Lou O’Hara", "mia-lou o’hara"),
    ],
)
def test_names_are_compared_as_they_are_seen_and_may_contain_colons(shown: str, author: str) -> None:
    assert texts_of(f"{shown}: one: two", "Tom: x", author=author) == ["one: two", "of another author"]


def test_without_an_author_and_with_an_unknown_one_the_error_lists_the_authors_and_no_text() -> None:
    data = chat("Mia: x", *[f"Tom: {OTHERS_WORDS}\n{OTHERS_WORDS}"] * 2, "Tom created group “x: y”")
    found = error(data)
    assert found.message == "chat is a chat, of which one author's messages are learnt, and --author is not set."
    assert found.hint == (
        "Set --author to your name or id: Tom: 2, Mia: 1. If these are no people, read its lines with --format text."
    )
    found = error(data, "Zoe\x1b[31m")
    assert found.message == "chat has no messages of Zoe."
    assert found.hint == "Its authors, for --author: Tom: 2, Mia: 1."


def test_a_file_without_a_message_is_an_error() -> None:
    assert "is no chat exported from WhatsApp" in error(b"a diary\nof two lines\n").message
    assert error(chat("Tom added you")).message == "chat has no messages."


def test_damaged_lines_and_messages_without_end_are_dropped_without_an_example() -> None:
    damaged = f"{OTHERS_WORDS}\0"
    rows, _ = read(chat("Mia: one", f"Tom: two\n{damaged}", f"Mia: three\n{damaged}", "Mia: four"))
    assert reasons(rows) == ["one", "of another author", "with a NUL byte", "with a NUL byte", "four"]
    endless = "\n".join(["x" * 1000] * (MAX_PARAGRAPH_CHARS // 1000 + 2))
    rows += read(b"Exported by hand\n" + chat(f"Mia: {endless}", "Mia: one"))[0]
    assert reasons(rows[5:]) == ["before the first message", "with a piece over 1 MB", "one"]
    assert all(not row.example for row in rows if isinstance(row, DroppedRow))


def test_a_short_chat_in_which_everyone_writes_once_is_detected() -> None:
    assert looks_like(chat(*(f"{name}: hello" for name in "ABCDEFGHIJKLMNOPQRS")))


def test_a_chat_below_a_note_is_detected() -> None:
    assert looks_like(b"Saved by hand\n\nfrom my phone\n" + chat("Mia: one", "Tom: two"))


@pytest.mark.parametrize(
    "text",
    [
        "a nice day\nand a good night\n",
        "31.12.2019, a nice day\n",
        "12:30 - a nice day: yes\n",
        "31.12.2019: a nice day: yes\n",
        "31.12.2019 at 21:41 a nice day: yes: no\n",
        "date,text\n31/12/19 21:41,a: b\n",
        "31/12/19, 21:41 - no names\n31/12/19, 21:41 - at all\n",
        "31/12/19, 21:41 - Mia: one\n" + "and many other lines\n" * 20,
        "".join(f"2019-12-31 21:41 - a day of {number}: a nice one\n" for number in range(20)),
        "",
    ],
)
def test_other_texts_are_not_detected_as_a_chat(text: str) -> None:
    assert not looks_like(text.encode())


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("_chat.txt", ""),
        ("_chat 2.txt", ""),
        ("WhatsApp Chat - Mia/_chat.txt", ""),
        ("mine/WhatsApp Chat - Mia.zip/_chat.txt", "mine/"),
        ("mine/_chat.txt", "mine/"),
        ("mine/WhatsApp Chat with Tom.txt", "mine/"),
        ("Чат WhatsApp с контактом Tom.txt", ""),
        ("WhatsApp Chat with Tom/notes.txt", None),
        ("WhatsApp Chat - Mia/00000012-notes.txt", None),
    ],
)
def test_chats_are_detected_by_their_name(name: str, root: str | None) -> None:
    assert archive_root(name) == root


@pytest.mark.parametrize(
    "container", ["WhatsApp Chat with Tom.txt", "renamed.txt", "folder", "WhatsApp Chat - Tom.zip"]
)
def test_a_chat_is_detected_and_files_sent_in_it_are_never_read(tmp_path: Path, container: str) -> None:
    data = chat("Messages are end-to-end encrypted.", "Mia: one", f"Tom: {OTHERS_WORDS}", "Mia: two")
    files = {"_chat.txt": data, "00000012-notes.txt": OTHERS_WORDS.encode(), "00000013-PHOTO.jpg": b"\xff"}
    if container == "folder":
        write(tmp_path / container, files)
    else:
        write(tmp_path, {container: zip_of(files) if container.endswith("zip") else data})
    tweets, (report,) = loaded(tmp_path / container, "Mia")
    assert tweets == ["one", "two"]
    assert report.format == "whatsapp"
    assert report.dropped == {"system message": 1, "of another author": 1}
    assert report.examples == {}
    if not container.endswith("txt"):
        assert "not read: 00000012-notes.txt" in report.notes
        assert "1 other file not opened (media and files of the chats never are)" in report.notes


def test_the_chats_in_a_folder_are_one_source_in_which_the_author_occurs_somewhere(tmp_path: Path) -> None:
    files = {
        "WhatsApp Chat with Tom.txt": chat("Mia: one", begin=ANDROID),
        "WhatsApp Chat with Zoe.txt": chat("Zoe: x"),
    }
    write(tmp_path, {**files, "WhatsApp Chat - Lou.zip": zip_of({"_chat.txt": chat("Lou: x", "Mia: two")})})
    tweets, (report,) = loaded(tmp_path, "Mia")
    assert sorted(tweets) == ["one", "two"]
    assert report.dropped == {"of another author": 2}
