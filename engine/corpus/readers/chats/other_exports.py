"""Exports of chats that are not read, recognised so that the words of everyone in them are not learnt as plain text.

Telegram Desktop exports HTML unless JSON is chosen, as DiscordChatExporter does; LINE and KakaoTalk export text; Slack
and Google Chat JSON. An explicit --format reads them as what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.corpus.files.sniffing import Problem
from engine.corpus.readers.json_files.json_values import first_char

_TELEGRAM_HTML = Problem(
    "is a Telegram chat exported as HTML, which is for reading in a browser",
    "Export it once more in Telegram Desktop in the format JSON, and give result.json.",
)
_DISCORD = Problem(
    "is a Discord channel exported as HTML or text, which is for reading only",
    "Export it once more with DiscordChatExporter as JSON, and give that.",
)
_COPY = "It has the messages of everyone in the chat: copy your own into a text file, one per line."
_OTHER_TEXT = Problem("is a chat exported from LINE or KakaoTalk, which is not supported", _COPY)
_OTHER_JSON = Problem("is a chat exported from Slack or Google Chat, which is not supported", _COPY)
_HTML = rb"\s*<!doctype html>(?s:.){0,60000}?"
_STARTS = (
    (re.compile(_HTML + rb"<title>Exported Data</title>", re.IGNORECASE), _TELEGRAM_HTML),
    (re.compile(_HTML + rb"\bchatlog__", re.IGNORECASE), _DISCORD),
    (re.compile(rb"={62}\r?\nGuild: .*\r?\nChannel: "), _DISCORD),
    (re.compile(rb"\[LINE\] .*\r?\n[^\n]{0,40}\d{4}[/.]\d"), _OTHER_TEXT),
    (
        re.compile(r"[^\n]*(?:카카오톡 대화|KakaoTalk Chats?)[^\n]*\n(?:저장한 날짜|Date Saved) ?: ".encode()),
        _OTHER_TEXT,
    ),
)
_JSON_CHATS = (
    (re.compile(rb'"ts"\s*:\s*"\d{10}\.\d{6}"'), re.compile(rb'"user"\s*:\s*"[UW][A-Z0-9]{7,11}"')),
    (re.compile(rb'"creator"\s*:\s*\{\s*"name"\s*:'), re.compile(rb'"user_type"\s*:')),
)
"""Keys of the messages of Slack, and of Google Chat."""
_TELEGRAM_PAGE = re.compile(r"(?:.*/)?messages\d*\.html")


def problem_of(head: bytes) -> Problem | None:
    """Return the problem of a file with these first bytes; None if it is no such export."""
    start = head.removeprefix(b"\xef\xbb\xbf")
    if first_char(head) in {b"[", b"{"} and any(all(key.search(head) for key in keys) for keys in _JSON_CHATS):
        return _OTHER_JSON
    return next((problem for pattern, problem in _STARTS if pattern.match(start)), None)


def problem_of_export(names: Iterable[str]) -> Problem | None:
    """Return the problem of a folder or archive with these files and no readable one; None if it is no such export."""
    return _TELEGRAM_HTML if any(map(_TELEGRAM_PAGE.fullmatch, names)) else None
