r"""Telegram Desktop's `result.json`: one chat, or all chats of an account.

One chat is `{"name": ..., "type": "personal_chat", "id": 123, "messages": [...]}`; an account's export is
`{"about": ..., "personal_information": {"user_id": 123, ...}, ..., "chats": {"about": ..., "list": [CHAT, ...]},
"left_chats": {...}}`. A message is `{"type": "message", "from": "Mia", "from_id": "user123", "text": TEXT}`, where TEXT
is a string, or an array of strings and `{"type": "bold", "text": ...}`; before 2021 the id was a number. What was
forwarded or made by a bot is no text of its author. The posts of a channel are the channel's own, saved messages the
account's.

An export may have gigabytes, in one object; one message is in memory. Control characters are written as `\x0B`, which
is not JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.files.byte_stream import ByteStream, buffered
from engine.corpus.readers.chats.authors import OF_ANOTHER_AUTHOR, SYSTEM_MESSAGE, WITHOUT_TEXT, Authors
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_object
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError
from engine.text import escape

FILE_NAME = "result.json"

_TYPES = "saved_messages|replies|verify_codes|personal_chat|bot_chat|(?:private|public)_(?:group|supergroup|channel)"
_CHAT = rf'\{{\s*(?:"name"\s*:\s*(?:null|"(?:[^"\\]|\\.)*+")\s*,\s*)?"type"\s*:\s*"(?:{_TYPES})"\s*,\s*"id"\s*:'
_ONE_CHAT = re.compile(_CHAT)
_ACCOUNT = re.compile(
    r'\{\s*"about"\s*:\s*"(?:[^"\\]|\\.)*+"\s*,\s*"(?:personal_information"\s*:\s*\{\s*"user_id"'
    r'|(?:profile_pictures|stories)"\s*:\s*\['
    r'|(?:contacts|frequent_contacts|sessions|web_sessions|chats|left_chats)"\s*:\s*\{\s*"about")'
)
_MESSAGE = (
    r'\{\s*"id"\s*:\s*\d+\s*,\s*"type"\s*:\s*"(?:message|service)"\s*,\s*"date"\s*:\s*"[^"]*"\s*,'
    r'\s*(?:"date_unixtime"\s*:\s*"\d+"\s*,\s*)?"(?:from|actor)"\s*:'
)
_LIST_OF_CHATS = re.compile(rf'(?:\{{\s*(?:"about"\s*:\s*"(?:[^"\\]|\\.)*+"\s*,\s*)?"list"\s*:\s*)?\[\s*{_CHAT}')
_MESSAGES = re.compile(rf'(?:\{{\s*(?:"name"\s*:\s*"(?:[^"\\]|\\.)*+"\s*,\s*)?"messages"\s*:\s*)?\[\s*{_MESSAGE}')
"""What people cut out of an export, which also has the words of others."""
_STARTS = (_ONE_CHAT, _ACCOUNT, _LIST_OF_CHATS, _MESSAGES)
_EXPORT_FOLDER = re.compile(r"(?:Chat|Data)Export_[^/]*/$")
_LISTS_OF_CHATS = ("chats", "left_chats", "list")
_CONTROL_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\x[0-9A-Fa-f]{2}")
_CHUNK_BYTES = 1 << 18


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as the export of a chat or of an account, or as a part of it."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    return any(start.match(text) for start in _STARTS)


def archive_root(name: str) -> str | None:
    """Return the folder in which exports are beside each other, or the export's own; None if the file is not read."""
    if name.rpartition("/")[2] != FILE_NAME:
        return None
    return _EXPORT_FOLDER.sub("", name.removesuffix(FILE_NAME))


def telegram_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per message. Raises `CorpusError` if a file is no export, or the author is not one person."""
    authors = Authors(source, config)
    for member in members:
        with closing(member.open()) as file:
            stream = JsonStream(buffered(_RepairedEscapes(file)), source.name_of(member))
            yield from _export_rows(stream, source.name_of(member), authors)
    authors.conclude()


@dataclass
class _Chat:
    """What precedes the messages of a chat."""

    name: str = ""
    type: str = ""
    id: str = ""

    @property
    def is_channel(self) -> bool:
        """Whether all messages are posts of the channel."""
        return self.type.endswith("_channel")

    @property
    def owner_id(self) -> str:
        """The author of all messages of a channel or of saved messages; "" for other chats."""
        if self.is_channel:
            return f"channel{self.id}"
        return f"user{self.id}" if self.type == "saved_messages" else ""

    def read(self, stream: JsonStream, key: str) -> None:
        """Consume the value of a key."""
        if key == "name":
            self.name = _string(stream.value())
        elif key == "type":
            self.type = _string(stream.value())
        elif key == "id":
            self.id = _number(stream.value())
        else:
            stream.skip_value()


def _export_rows(stream: JsonStream, name: str, authors: Authors) -> Iterator[Row]:
    """Yield the rows of an export, or of a part of it."""
    start = stream.beginning().lstrip()
    if not start.startswith("["):
        yield from _object_rows(stream, name, authors)
    elif _MESSAGES.match(start):
        yield from _chat_rows(stream, _Chat(), "", authors)
    elif _LIST_OF_CHATS.match(start):
        yield from _chats_rows(stream, "", authors)
    else:
        raise _no_chats(name)


def _object_rows(stream: JsonStream, name: str, authors: Authors) -> Iterator[Row]:
    """Yield the rows of a chat, an account, or its list of chats."""
    account = ""
    has_chats = False
    chat = _Chat()
    for key in stream.object_keys() if stream.peek() == "{" else ():
        if key == "personal_information":
            account = _author_id(as_object(stream.value()).get("user_id"))
        elif key in _LISTS_OF_CHATS and stream.peek() in {"{", "["}:
            has_chats = True
            yield from _listed_rows(stream, account, authors)
        elif key == "messages" and stream.peek() == "[":
            has_chats = True
            yield from _chat_rows(stream, chat, chat.owner_id, authors)
        else:
            chat.read(stream, key)
    if not has_chats:
        raise _no_chats(name)


def _no_chats(name: str) -> CorpusError:
    return CorpusError(
        f"{name} has no chats.", "Export them in Telegram Desktop as machine-readable JSON, and give result.json."
    )


def _listed_rows(stream: JsonStream, account: str, authors: Authors) -> Iterator[Row]:
    """Yield the rows of `{"about": ..., "list": [CHAT, ...]}`, or of the array alone."""
    if stream.peek() == "[":
        yield from _chats_rows(stream, account, authors)
        return
    for key in stream.object_keys():
        if key == "list" and stream.peek() == "[":
            yield from _chats_rows(stream, account, authors)
        else:
            stream.skip_value()


def _chats_rows(stream: JsonStream, account: str, authors: Authors) -> Iterator[Row]:
    """Yield the rows of an array of chats."""
    for _ in stream.entries():
        chat = _Chat()
        if stream.peek() != "{":
            stream.skip_value()
            continue
        for key in stream.object_keys():
            if key == "messages" and stream.peek() == "[":
                yield from _chat_rows(stream, chat, account or ("" if chat.is_channel else chat.owner_id), authors)
            else:
                chat.read(stream, key)


def _chat_rows(stream: JsonStream, chat: _Chat, owner_id: str, authors: Authors) -> Iterator[Row]:
    """Yield one row per message of a chat."""
    is_private = not chat.type.startswith("public_")
    for message in map(as_object, stream.items()):
        if message.get("type") != "message":
            yield SYSTEM_MESSAGE
            continue
        author_id, name = _author_id(message.get("from_id")), _string(message.get("from"))
        if chat.is_channel:
            author_id, name = chat.owner_id, chat.name
        names = (name, message["author"]) if isinstance(message.get("author"), str) else (name,)  # a post's signature
        if authors.is_own(author_id, *names, owner_id=owner_id, is_private=is_private):
            yield _row(message)
        else:
            yield OF_ANOTHER_AUTHOR


def _row(message: dict[str, object]) -> Row:
    """Return the text of a message, or why it is dropped."""
    if "forwarded_from" in message:
        return DroppedRow("forwarded")
    if "via_bot" in message:
        return DroppedRow("made by a bot")
    text = _text(message.get("text"))
    return escape(text) if text.strip() else WITHOUT_TEXT


def _text(value: object) -> str:
    """Return a text, joined if it has formatted parts."""
    if isinstance(value, list):
        return "".join(_string(part.get("text")) if isinstance(part, dict) else _string(part) for part in value)
    return _string(value)


def _author_id(value: object) -> str:
    """Return the id of an author: "user123"."""
    number = _number(value)
    return f"user{number}" if number else _string(value)


def _number(value: object) -> str:
    """Return the digits of an id, which the decoder converts to a float; "" for any other value."""
    return f"{value:.0f}" if isinstance(value, float) else ""


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


class _RepairedEscapes(ByteStream):
    r"""A file in which control characters written as \x0B are blanks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ready = self._incomplete = b""
        self._is_at_end = False

    def next_bytes(self, max_bytes: int) -> bytes:
        """Return some bytes."""
        while not self._ready and not self._is_at_end:
            chunk = self._file.read(_CHUNK_BYTES)
            self._is_at_end = not chunk
            data = self._incomplete + chunk
            end = len(data) if self._is_at_end else _before_incomplete_escape(data)
            self._ready, self._incomplete = data[:end], data[end:]
            if b"\\x" in self._ready:
                self._ready = _CONTROL_ESCAPE.sub(rb"\1 ", self._ready)
        data, self._ready = self._ready[:max_bytes], self._ready[max_bytes:]
        return data


def _before_incomplete_escape(data: bytes) -> int:
    """Return the end of the data without an escape at its end that may go on; pairs of backslashes are complete."""
    start = data[:-2] if data[-2:-1] == b"x" else data[:-1] if data[-1:] == b"x" else data
    num_backslashes = len(start) - len(start.rstrip(b"\\"))
    return len(start) - 1 if num_backslashes % 2 else len(data)
