"""Exports of chats without a reader are errors with a remedy; no message of theirs becomes a row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import zip_of
from tests.engine.corpus.readers.chats.reading import OTHERS_WORDS, loaded, write

TELEGRAM_HTML = f"""<!DOCTYPE html>
<html>

 <head>

  <meta charset="utf-8"/>
<title>Exported Data</title>
 </head>
 <body>
  <div class="text">{OTHERS_WORDS}</div>
""".encode()
DISCORD_HTML = f"""<!DOCTYPE html>
<html lang="en">
<head>
    <title>Server - channel</title>
    <style>{"/* a rule */" * 900} .chatlog__message {{ }}</style>
</head>
<body><div class=chatlog__content>{OTHERS_WORDS}</div>
""".encode()
DISCORD_TEXT = f"""{"=" * 62}
Guild: Server
Channel: Text / channel
{"=" * 62}

[31/12/2019 21:41] tom
{OTHERS_WORDS}
""".encode()
LINE = f"\ufeff[LINE] Tomとのトーク履歴\r\n保存日時：2019/12/31 21:41\r\n\r\n21:41\tTom\t{OTHERS_WORDS}\r\n".encode()
KAKAO = f"Tom 님과 카카오톡 대화\n저장한 날짜 : 2019-12-31 21:41:00\n\n[Tom] [오후 9:41] {OTHERS_WORDS}\n".encode()
SLACK = json.dumps(
    [{"type": "message", "text": OTHERS_WORDS, "user": "U0500003428", "ts": "1577828460.000100"}]
).encode()
GOOGLE_CHAT = json.dumps(
    {
        "messages": [
            {"creator": {"name": "Tom", "email": "", "user_type": "Human"}, "text": OTHERS_WORDS, "topic_id": "x"}
        ]
    }
).encode()


@pytest.mark.parametrize(
    ("name", "content", "words", "hint"),
    [
        ("messages.html", TELEGRAM_HTML, "is a Telegram chat exported as HTML", "JSON"),
        ("Server - channel [1].html", DISCORD_HTML, "is a Discord channel exported as HTML or text", "JSON"),
        ("Server - channel [1].txt", DISCORD_TEXT, "is a Discord channel exported as HTML or text", "JSON"),
        ("[LINE]Tom.txt", LINE, "is a chat exported from LINE or KakaoTalk", "copy your own"),
        ("2019-12-31.json", SLACK, "is a chat exported from Slack or Google Chat", "copy your own"),
        ("messages.json", GOOGLE_CHAT, "is a chat exported from Slack or Google Chat", "copy your own"),
        ("KakaoTalkChats.txt", KAKAO, "is a chat exported from LINE or KakaoTalk", "copy your own"),
    ],
)
def test_a_chat_in_another_format_is_an_error_with_a_remedy(
    tmp_path: Path, name: str, content: bytes, words: str, hint: str
) -> None:
    write(tmp_path, {name: content})
    with pytest.raises(CorpusError, match=words) as caught:
        loaded(tmp_path / name)
    assert hint in caught.value.hint
    assert OTHERS_WORDS not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("is_zip", [False, True])
def test_a_telegram_export_as_html_is_an_error_that_asks_for_json(tmp_path: Path, is_zip: bool) -> None:
    files = {"ChatExport_1/messages.html": TELEGRAM_HTML, "ChatExport_1/css/style.css": b"a {}"}
    path = write(tmp_path, {"a.zip": zip_of(files)}) / "a.zip" if is_zip else write(tmp_path / "a", files)
    with pytest.raises(CorpusError, match="is a Telegram chat exported as HTML"):
        loaded(path)


def test_other_pages_and_texts_are_no_such_export(tmp_path: Path) -> None:
    texts = ["<!DOCTYPE html>", "[LINE", "=" * 62, "a line about KakaoTalk", "Exported Data"]
    write(tmp_path, {"a.txt": "\n".join(texts).encode()})
    assert loaded(tmp_path / "a.txt")[0] == texts
