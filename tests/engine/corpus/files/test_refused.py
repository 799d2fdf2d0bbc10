"""What is no text, and exports with other people's words, are refused by their content: nothing of them is a row."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.files.standard_input import with_saved_streams
from tests.engine.corpus.files.open_contents import zip_of
from tests.engine.corpus.reading import PACKERS, Container, Files, read, read_lines, texts_of

WORDS = "a secret of somebody else"
MINE = "a nice day\nand a good night\n"
CONTAINERS: tuple[Container, ...] = ("folder", "zip", "tar.gz")
READ = "+ 'a nice day'\n+ 'and a good night'"
ID = "101234567890123456"


def chat(begin: str, end: str = "\n", names: tuple[str, ...] = ("Mia", "Tom")) -> str:
    return "".join(f"{begin}{name}: {WORDS}{end}" for name in names)


def as_json(value: object, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def telegram(text: str = WORDS, kind: str = "private_group", **named: object) -> dict[str, object]:
    head = {"id": 7, "type": "message", "date": "2024-05-01T10:00:00", "date_unixtime": "1714557600"}
    return {**named, "type": kind, "id": 99, "messages": [{**head, "from": "Tom", "from_id": "user2", "text": text}]}


def facebook(text: str) -> dict[str, object]:
    media = [{"data": [{"media": {"uri": "posts/media/a.jpg", "description": "of a photo"}}]}]
    return {"timestamp": 1242901624, "attachments": media, "data": [{"post": text}], "title": "Tom was here"}


def picture(caption: str) -> dict[str, object]:
    return {"uri": "media/a.jpg", "creation_timestamp": 1573560000, "media_metadata": {}, "title": caption}


def exporter(*messages: str) -> dict[str, object]:
    author = {"id": "7", "name": "tom", "nickname": "Tom"}
    return {
        "guild": {"id": "9", "name": 'Friends {of} "us"'},
        "channel": {"id": ID, "type": "GuildTextChat"},
        "messages": [{"type": "Default", "content": text, "author": author} for text in messages],
    }


IOS, ANDROID = "[31/12/19, 21:41:00] ", "31/12/19, 21:41 - "
WHATSAPP_BEGINNINGS = (
    *(IOS, f"\u200e{IOS}", "[31.12.19, 21:41:00] ", "[2019-12-31, 9:41:00 p.m.] ", "[12/31/19, 9:41:00\u202fPM] "),
    *(
        "[12.3.2022 klo 14.08.18] ",
        "[31/12/2019 à 21:41:00] ",
        "[2019/12/31 下午9:41:00] ",
        "[2019. 12. 31. 오후 9:41:00] ",
    ),
    *("[\u200f31\u200f/12\u200f/2019, 9:41:00 م] ", ANDROID, "12/31/19, 9:41\u202fPM - ", "31/12/2019, 9:41 am - "),
    *("31.12.19, 21:41 - ", "31-12-19 21:41 - ", "2019-12-31, 9:41 p.m. - ", "20/6/2017 8:28 p.\u00a0m. - "),
    *("31/12/2019 21.41 - ", "31.12.2019 klo 21.41 - ", "31.12.2019 г., 21:41 ч. - ", "2019. 12. 31. 21:41 - "),
    *("2019/12/31 下午9:41 - ", "2019년 12월 31일 오후 9:41 - ", "31. 12. 2019. 21:41 - ", "21:41, 31/12/2019 - "),
    *("31.12.15 21:41:00: ", "31.12.15, 21.41: ", "[9:41 PM, 12/31/2019] ", "[31/12, 21:41] "),
    "٣١\u200f/١٢\u200f/٢٠١٩, ٩:٤١ م - ",
)
MESSAGES = {
    "participants": [{"name": "Mia Hill"}, {"name": "Tom Höll"}],
    "messages": [{"sender_name": "Tom Höll", "timestamp_ms": 1573560000000, "content": WORDS}],
    "title": "Tom Höll",
}
ENCRYPTED = {"threadName": "x", "messages": [{"senderName": "Tom", "text": WORDS}], "participants": ["Mia", "Tom"]}
SUBMISSION = {"author": "tom", "subreddit": "cats", "title": WORDS, "selftext": WORDS, "over_18": False}
COMMENT = {"author": "tom", "body": WORDS, "id": "def", "subreddit": "cats"}
NOTE = {"id": "91", "text": WORDS, "createdAt": "2024", "fileIds": ["1"], "renoteId": None, "visibility": "home"}
TELEGRAM_HTML = f'<!DOCTYPE html>\n<html>\n<meta charset="utf-8"/>\n<title>Exported Data</title>\n<div>{WORDS}</div>\n'
META_HTML = f'<html><head><base href="../../" /></head><div class="pam _3-95 _2ph- _a6-g">{WORDS}</div></html>\n'
DISCORD_HTML = f"<!DOCTYPE html>\n<style>{'/* a rule */' * 900} .chatlog__message {{ }}</style>\n<div>{WORDS}</div>\n"
DISCORD_TEXT = f"{'=' * 62}\nGuild: Server\nChannel: Text / channel\n{'=' * 62}\n\n[31/12/2019 21:41] tom\n{WORDS}\n"
REDDIT_POST = f"abc,https://www.reddit.com/r/cats/,2024-05-01,,cats,0,My cat,,{WORDS}\n"

FILES: dict[str, dict[str, list[str]]] = {
    "has private messages, which are never read": {
        "message_1.json": [
            as_json(MESSAGES),
            json.dumps(MESSAGES, indent=2),
            as_json({**MESSAGES, "participants": [{"name": f"Mia {n}"} for n in range(10_000)]}),
            as_json(dict(reversed(MESSAGES.items()))),
            as_json(ENCRYPTED),
            as_json(dict(reversed(ENCRYPTED.items())), separators=(",", ":")),
        ]
    },
    "is an export of Facebook, Instagram or Threads": {
        "your_posts_1.json": [
            as_json([facebook(WORDS)]),
            as_json(facebook(WORDS), indent=2),
            as_json({"status_updates": [facebook(WORDS)]}),
            as_json([{"media": [picture(WORDS)]}]),
            as_json([{"media": [picture("")], "title": WORDS, "creation_timestamp": 1573560000}]),
            as_json({"text_post_app_text_posts": [{"media": [picture(WORDS)]}]}),
            as_json({"ig_reels_media": [{"media": [picture(WORDS)]}]}),
            as_json({"comments_v2": [{"timestamp": 1573560000, "data": [{"comment": {"comment": WORDS}}]}]}),
            as_json({"group_posts_v2": [facebook(WORDS)]}),
            as_json({"searches_v2": [{"timestamp": 1573560000, "data": [{"text": WORDS}]}]}),
            as_json({"ig_stories": [picture(WORDS)]}),
            as_json([{"media_list_data": [], "string_map_data": {"Comment": {"value": WORDS}}}]),
            as_json([{"timestamp": 1573560000, "media": [], "label_values": [{"label": "Message", "value": WORDS}]}]),
            META_HTML,
        ]
    },
    "is a chat exported from Telegram": {
        "result.json": [
            as_json(telegram(name="Friends"), indent=1),
            as_json(telegram(kind="saved_messages")),
            as_json(telegram(kind="verify_codes", name='a "b" \x1f')).replace("\\u001f", "\\x1F"),
            as_json({"about": "x", "personal_information": {"user_id": 1}, "chats": {"list": [telegram(name="x")]}}),
            as_json({"about": "x", "profile_pictures": [], "chats": {"list": [telegram(name="x")]}}),
            as_json({"about": "x", "chats": {"about": "x", "list": [telegram(kind="personal_chat", name="x")]}}),
            as_json(telegram(name="x")["messages"]),  # cut out of an export by hand
            as_json({"messages": telegram()["messages"]}),
            as_json({"name": "Friends", "messages": telegram()["messages"]}),
            as_json([telegram(name="x")]),
            as_json({"about": "This page lists all chats.", "list": [telegram(name="x")]}),
            TELEGRAM_HTML,
        ]
    },
    "is an export of Discord": {
        "messages.json": [
            as_json([{"ID": int(ID), "Timestamp": "2024-05-01 10:00:00", "Contents": WORDS, "Attachments": ""}]),
            f"ID,Timestamp,Contents,Attachments\r\n1,2021-01-01,{WORDS},\r\n",
            as_json(exporter(WORDS), indent=2),
            f"AuthorID,Author,Date,Content,Attachments,Reactions\r\n7,tom,2024,{WORDS},,\r\n",
            DISCORD_TEXT,
            DISCORD_HTML,
        ]
    },
    "is an export or a dump of Reddit": {
        "posts.csv": [
            f"id,permalink,date,ip,subreddit,gildings,title,url,body\n{REDDIT_POST}",
            f"id,permalink,date,ip,subreddit,gildings,link,parent,body,media\n{REDDIT_POST}",
            f"id,permalink,date,ip,subreddit,gildings,link,parent\ndef,https://a.example,,,cats,0,,{WORDS}\n",
            f"id,permalink,thread_id,date,ip,from,to,subject,body\nm,,t,2024-05-01,,tom,mia,hi,{WORDS}\n",
            f"message_id,created_at,updated_at,username,message,channel_url\n1,,,tom,{WORDS},\n",
            f"id,title,body,kind,created,spoiler\nd,{WORDS},{WORDS},markdown,2024-05-01,False\n",
            f"scheduled_post_id,subreddit,title,body\n1,cats,{WORDS},{WORDS}\n",
            f"{as_json(SUBMISSION)}\n{as_json(COMMENT)}\n",
            as_json([COMMENT, SUBMISSION], indent=1),
            as_json({"kind": "Listing", "data": {"children": [{"kind": "t1", "data": COMMENT}]}}),
            as_json({"data": [SUBMISSION]}),
            as_json({"posts": [{"title": WORDS, "selftext": "", "comments": []}]}),
            as_json({"comments": [COMMENT], "inbox": [COMMENT]}),
        ]
    },
    "is an export of Misskey": {"notes-2024-05-01-10-00-00.json": [as_json([NOTE]), as_json([NOTE], indent=2)]},
    "is a chat exported from LINE or KakaoTalk": {
        "[LINE]Tom.txt": [
            f"\ufeff[LINE] Tomとのトーク履歴\r\n保存日時：2019/12/31 21:41\r\n\r\n21:41\tTom\t{WORDS}\r\n",
            f"Tom 님과 카카오톡 대화\n저장한 날짜 : 2019-12-31 21:41:00\n\n[Tom] [오후 9:41] {WORDS}\n",
        ]
    },
    "is a chat exported from Slack or Google Chat": {
        "2019-12-31.json": [
            as_json([{"type": "message", "text": WORDS, "user": "U0500003428", "ts": "1577828460.000100"}]),
            as_json({"messages": [{"creator": {"name": "Tom", "email": "", "user_type": "Human"}, "text": WORDS}]}),
        ]
    },
    "is a chat exported from WhatsApp": {
        "_chat.txt": [
            *(chat(begin) for begin in WHATSAPP_BEGINNINGS),
            *(chat(begin, "\r\n") for begin in (IOS, ANDROID)),
            chat(IOS, names=tuple("ABCDEFGHIJKLMNOPQRS")),  # in a short chat everyone may have written once
            f"Saved by hand\n\nfrom my phone\n{chat(IOS)}",
            chat(ANDROID, "\nand many other lines" * 8 + "\n"),
        ]
    },
}
SAMPLES = [
    pytest.param(what, name, content, id=f"{what} {number}")
    for what, files in FILES.items()
    for name, contents in files.items()
    for number, content in enumerate(contents)
]


@pytest.mark.parametrize(("what", "name", "content"), SAMPLES)
def test_a_file_of_an_export_is_refused_under_any_name_in_any_container(what: str, name: str, content: str) -> None:
    for shown in (name, "renamed", "a.txt", "a.csv", "a.jsonl"):
        error, hint = read({shown: content}).splitlines()
        assert error == f"! {shown} {what}."
        assert "Save your own texts as CSV" in hint
    assert read({"a.gz": PACKERS["gzip"](content.encode())}).startswith(f"! a.gz {what}.")
    assert read({"a.txt": content.encode("utf-16")}).startswith(f"! a.txt {what}.")
    suffix = "json" if content.startswith(("{", "[{")) else "txt"
    for container in ("folder", "zip"):
        stray = read({f"other.{suffix}": content, "b/mine.txt": MINE}, container)
        assert READ in stray
        assert f"* not read: other.{suffix} ({what})" in stray.splitlines()
        assert f"f{'.zip' if container == 'zip' else ''}: other.{suffix} {what}." in read(
            {f"other.{suffix}": content}, container
        )


NEVER: Files = {"files/notes.txt": WORDS, "readme.txt": WORDS, "a.jpg": b"\xff"}
PACKAGE: Files = {
    "account/user.json": as_json({"id": "5", "username": "mia", "notes": {"7": {"text": WORDS}}}),
    "activity/analytics/events.json": f'{{"text": "{WORDS}"}}\n' * 3,
    f"Nachrichten/c{ID}/channel.json": as_json({"id": ID, "type": "DM", "recipients": ["5", "7"]}),
    f"Nachrichten/c{ID}/messages.json": "[]",
    "Nachrichten/index.json": as_json({ID: WORDS, "2": WORDS}),
}
ACTIVITY = "your_facebook_activity"
SLACK = FILES["is a chat exported from Slack or Google Chat"]["2019-12-31.json"][0]
WHOLE: dict[str, Files] = {
    "is a chat exported from Telegram: with its folder": {
        "ChatExport_2024-05-01/result.json": as_json(telegram(name="x")),
        "ChatExport_2024-05-01/files/notes.txt": WORDS,
    },
    "is a chat exported from Telegram: without its folder": {"result.json": as_json(telegram(name="x")), **NEVER},
    "is a chat exported from Telegram: as HTML": {"messages.html": TELEGRAM_HTML, "css/style.css": "a {}", **NEVER},
    "is a chat exported from WhatsApp: iOS": {"_chat.txt": chat(IOS), "00000012-notes.txt": WORDS, **NEVER},
    "is a chat exported from WhatsApp: Android": {"WhatsApp Chat with Tom.txt": chat(ANDROID), **NEVER},
    "is a chat exported from WhatsApp: Russian": {"Чат WhatsApp с контактом Tom.txt": chat(ANDROID), **NEVER},
    "is an export of Discord: a package": {**PACKAGE, **NEVER},
    "is an export of Discord: an old package": {f"messages/{ID}/messages.csv": f"ID,Text\n1,{WORDS}\n", **NEVER},
    "is an export of Discord: a channel": {
        "messages.json": FILES["is an export of Discord"]["messages.json"][0],
        **NEVER,
    },
    "is an export of Facebook, Instagram or Threads: Facebook": {
        f"{ACTIVITY}/comments_and_reactions/comments.json": as_json({"comments_v2": [{"text": WORDS}]}),
        f"{ACTIVITY}/posts/your_posts__check_ins__photos_and_videos_1.json": as_json([facebook(WORDS)]),
        "personal_information/profile_information.json": as_json([{"text": WORDS}]),
        **NEVER,
    },
    "is an export of Facebook, Instagram or Threads: without posts": {
        f"{ACTIVITY}/ads.json": as_json([WORDS]),
        **NEVER,
    },
    "is an export of Facebook, Instagram or Threads: before 2022": {
        "posts/your_posts_1.json": as_json([facebook(WORDS)]),
        "comments/comments.json": as_json({"comments": [{"data": [{"comment": WORDS}]}]}),
        **NEVER,
    },
    "is an export of Facebook, Instagram or Threads: Instagram": {
        "content/reels.json": as_json([{"media": [picture(WORDS)]}]),
        **NEVER,
    },
    "is an export of Facebook, Instagram or Threads: as HTML": {
        "posts/your_posts_1.html": "<html>",
        "friends/friends.json": as_json([WORDS]),
        **NEVER,
    },
    "has private messages, which are never read: all": {
        "messages/inbox/tom_1/message_1.json": as_json(MESSAGES),
        **NEVER,
    },
    "has private messages, which are never read: one": {"message_1.json": as_json(MESSAGES), **NEVER},
    "is an export or a dump of Reddit: an account": {
        "comments.csv": FILES["is an export or a dump of Reddit"]["posts.csv"][1],
        "statistics.csv": f"statistic,value\naccount name,{WORDS}\n",
        "comment_votes.csv": "id,permalink,direction\ndef,https://a.example,up\n",
        **NEVER,
    },
    "is a chat exported from Slack or Google Chat: a channel": {"general/2019-12-31.json": SLACK},
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_export_is_refused_with_all_that_is_in_it(name: str) -> None:
    below = {f"in/{path}": content for path, content in WHOLE[name].items()}
    for container in CONTAINERS:
        for files in (WHOLE[name], below):
            error, hint = read(files, container).splitlines()
            assert error.startswith("! f")
            assert error.endswith(f" {name.partition(':')[0]}.")
            assert "Save your own texts as CSV" in hint
        beside = read({**below, "mine.txt": MINE}, container)
        assert READ in beside
        assert WORDS not in beside


def test_an_explicit_format_reads_an_export_but_for_messages_of_facebook(snapshot: SnapshotAssertion) -> None:
    exported = FILES["is an export of Discord"]["messages.json"]
    assert texts_of({"_chat.txt": chat(IOS)}, format="text") == chat(IOS).splitlines()
    assert texts_of({"_chat.txt": chat(IOS), "notes.txt": "one"}, "zip", format="text") == [
        *chat(IOS).splitlines(),
        "one",
    ]
    assert texts_of({"result.json": as_json(telegram())}, format="json") == [WORDS]
    assert texts_of({"messages.csv": exported[1]}, format="csv") == [WORDS]
    assert texts_of({"your_posts_1.json": as_json([facebook(WORDS)])}, format="json", column="data.post") == [WORDS]
    export = {
        **WHOLE["is an export of Facebook, Instagram or Threads: Facebook"],
        f"{ACTIVITY}/messages/inbox/tom_1/files/notes.txt": WORDS,
        "b.txt": "one",
    }
    assert read(export, "zip", format="text") == snapshot
    for file_format in ("text", "json", "jsonl", "csv"):
        assert WORDS not in read({"a": as_json(MESSAGES)}, format=file_format)
        assert WORDS not in read({"tom_1/message_1.json": as_json(MESSAGES), "b.txt": "one"}, format=file_format)


@pytest.mark.parametrize(
    ("files", "member"),
    [
        (WHOLE["is an export of Facebook, Instagram or Threads: Facebook"], "comments.json"),
        (WHOLE["has private messages, which are never read: one"], "message_1.json"),
        ({f"{ACTIVITY}/messages/inbox/tom_1/files/notes.txt": WORDS}, "notes.txt"),
        (WHOLE["is a chat exported from WhatsApp: iOS"], "_chat.txt"),
    ],
)
def test_a_refused_file_is_not_read_even_if_it_is_chosen(files: Files, member: str) -> None:
    for container in ("folder", "zip"):
        error, hint = read({**files, "mine.txt": MINE}, container, member=member).splitlines()
        assert f"{member} " in error
        assert "Save your own texts" in hint


def test_another_file_in_an_export_is_read_if_it_is_chosen() -> None:
    files = {**WHOLE["is a chat exported from WhatsApp: iOS"], "mine.txt": MINE}
    assert READ in read(files, "zip", member="mine.txt")


def test_an_export_that_is_piped_in_is_refused(tmp_path: Path) -> None:
    files = with_saved_streams(("-",), io.BytesIO(chat(IOS).encode()), tmp_path)
    assert next(read_lines(CorpusConfig(files=files))) == "! standard input is a chat exported from WhatsApp."


OTHERS = {
    "a diary": "31.12.2019: a nice day: yes\n31.12.2019 at 21:41 a nice day: yes: no\n12:30 - a nice day: yes\n",
    "dates without names": "31/12/19, 21:41 - no names\n31/12/19, 21:41 - at all\n",
    "one quoted message": "31/12/19, 21:41 - Mia: one\n" + "and many other lines\n" * 20,
    "dated texts": "".join(f"2019-12-31 21:41 - a day of {number}: a nice one\n" for number in range(20)),
    "words of exports": f"<!DOCTYPE html>\n[LINE\n{'=' * 62}\na line about KakaoTalk\nExported Data\n",
    "JSON of messages": as_json({"messages": [{"from": "Mia", "text": "a nice day"}]}),
    "JSON of posts": as_json([{"timestamp": 1573560000, "text": "a nice day", "attachments": [], "data": []}]),
    "JSON of comments": as_json({"comments_list": [{"text": "a nice day", "kind": "t1"}, {"text": "b", "kind": "t2"}]}),
    "JSON of likes": as_json({"likes_2024": [{"text": "a nice day", "visibility": "public"}]}),
    "JSON with a type": as_json([{"id": 7, "type": "post", "date": "x", "from": "Tom", "text": "a nice day"}]),
    "JSON by ids": as_json({ID: "a tweet by its id", "2": "another"}),
    "JSON of a guild": as_json({"guild": "x", "channel": {"type": 0}, "messages": [{"text": "a nice day"}]}),
    "a table of Reddit's kind": "title,selftext,body\n" + "My cat,It sleeps all day and eats,\n" * 3,
    "a table of drafts": "id,title,body,kind,label\n1,a,a nice day,c,d\n",
    "a table of Discord's kind": "ID,Timestamp,Contents\n1,2021-05-06,a tweet of mine\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_that_look_a_little_like_an_export_are_read(name: str, snapshot: SnapshotAssertion) -> None:
    assert read({"a": OTHERS[name]}) == snapshot


def test_files_whose_names_are_those_of_exports_close_no_folder() -> None:
    names = ("_chat.txt", "result.json", "messages.csv", "posts.csv", "saved_posts.csv", "a.txt", "posts_1.json")
    found = texts_of({name: as_json(["one"]) if "json" in name else "text\none\n" for name in names}, "folder")
    assert found.count("one") == len(names)


# Files without text ---------------------------------------------------------------------------------------------------

TYPES = {"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<Relationships/>"}


def document(*parts: str) -> bytes:
    return zip_of({**TYPES, **dict.fromkeys(parts, b"<x>not a tweet</x>")})


def mime_document(kind: str) -> bytes:
    """Return an OpenDocument file or e-book: its first part, not compressed, is its type."""
    return zip_of({"mimetype": kind.encode(), "content.xml": b"<x/>", "notes.txt": b"not a tweet"}, zipfile.ZIP_STORED)


OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
NO_TEXTS = {
    "a.xlsx": document("xl/workbook.xml", "xl/notes.txt"),
    "a.xlsm": document("xl/workbook.xml"),
    "a.xlsb": zip_of({**TYPES, "xl/workbook.bin": b"\0"}),
    "a.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "a.docx": document("word/document.xml", "word/notes.txt"),
    "a.pptx": zip_of({"ppt/presentation.xml": b"<x/>", **TYPES}),
    "a.numbers": zip_of({"Index/Document.iwa": b"\0"}),
    "a.ods": mime_document(f"{OPEN_DOCUMENT}spreadsheet"),
    "a.odt": mime_document(f"{OPEN_DOCUMENT}text"),
    "a.epub": mime_document("application/epub+zip"),
    "a.arrow": b"ARROW1\0\0" + bytes(100),
    "cache.arrow": b"\xff\xff\xff\xff\x78\0\0\0\x10\0\0\0\0\0\n\0\x0c\0" + bytes(100),
    "a.feather": b"FEA1\0\0\0\0" + bytes(100),
    "a.jpg": b"\xff\xd8\xff\xe0" + "什么天气都好，我们出门。\n".encode("gbk") * 99,
    "a.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a.pdf": b"%PDF-1.7\n",
    "a.rtf": rb"{\rtf1\ansi{\fonttbl}}",
    "a.rar": b"Rar!\x1a\x07\x00",
    "a.sqlite": b"SQLite format 3\0" + bytes(100),
    "a.exe": b"\x7fELF\x02\x01",
    "a.bin": bytes(range(256)) * 8,
    "empty": b"",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "garbage.car": bytes(range(256)) * 8,
    "garbage.parquet": bytes(range(256)) * 8,
}


def test_what_is_no_text_is_named_with_what_to_do(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(read({name: content}) for name, content in NO_TEXTS.items()) == snapshot


@pytest.mark.parametrize("name", NO_TEXTS)
def test_what_is_no_text_is_so_under_another_name_and_compressed_and_whatever_the_format(name: str) -> None:
    what = read({name: NO_TEXTS[name]}).splitlines()[0].partition(" ")[2].partition(" ")[2]
    if name.startswith("garbage"):
        what = "is not a text file."
    for files in ({"a.txt": NO_TEXTS[name]}, {"a.txt": PACKERS["gzip"](NO_TEXTS[name])}):
        for file_format in ("auto", "text", "json"):
            assert read(files, format=file_format).startswith(f"! a.txt {what}"), file_format


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.arrow", "a.feather"])
@pytest.mark.parametrize("container", ["folder", "zip"])
def test_a_table_that_is_not_read_is_named_among_others(name: str, container: Container) -> None:
    error, hint = read({name: NO_TEXTS[name]}).splitlines()
    what = error.partition(f"{name} ")[2].removesuffix(".")
    beside = read({name: NO_TEXTS[name], "mine.txt": MINE}, container)
    assert READ in beside
    assert f"* not read: {name} ({what})" in beside
    alone = read({name: NO_TEXTS[name]}, container).splitlines()
    assert alone == [f"! f{'.zip' if container == 'zip' else ''}: {name} {what}.", hint]


@pytest.mark.parametrize("text", [MINE, "größe 🎉\n", b"caf\xe9\n", "\x1b[31mred\x1b[0m\n", f"{MINE}\0\n"])
def test_odd_text_is_still_text(text: str | bytes) -> None:
    assert texts_of({"a": text})


def test_a_damaged_document_is_damaged_and_an_archive_with_such_folders_is_an_archive() -> None:
    assert "! a.docx is damaged" in read({"a.docx": NO_TEXTS["a.docx"][:-30]})
    assert texts_of({"word/a.txt": "one\n", "xl/b.txt": "two\n"}, "zip") == ["one", "two"]
