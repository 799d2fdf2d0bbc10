"""Discord: the data package, which has its owner's messages only, and the JSON or CSV of DiscordChatExporter.

The package has `[{"ID": ..., "Timestamp": ..., "Contents": TEXT, "Attachments": ""}, ...]` per channel, or the same
columns as CSV. DiscordChatExporter has `{"guild": {...}, "channel": {"type": "GuildTextChat", ...}, ..., "messages":
[{"type": "Default", "content": TEXT, "author": {"id": "123", "name": "mia", "nickname": "Mia", "isBot": false}}]}`, or
the columns `AuthorID,Author,Date,Content,...`. Names and emoji are codes in a text: `<@123>`, `<:smile:123>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.chats.authors import OF_ANOTHER_AUTHOR, SYSTEM_MESSAGE, WITHOUT_TEXT, Authors
from engine.corpus.readers.chats.discord_files import FileKind, channel_of, is_private, kind_of
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_object
from engine.corpus.readers.lines import decoded_lines
from engine.corpus.readers.tables.csv_records import CsvRecords
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError
from engine.text import escape

_WRITTEN = ("Default", "Reply")
"""Types of messages with words of their author."""
_CODES = re.compile(
    r"<(?:a?:(?P<emoji>\w{1,64}):\d+|(?P<kind>@[!&]?|#)\d+|(?P<command>/[\w -]{1,100}):\d+|t:-?\d+(?::\w)?"
    r"|(?P<link>https?://[^<>\s]+))>"
)
_AUTHOR_KEYS = ("id", "name", "nickname")
_KINDS = {"@": "@user", "@!": "@user", "@&": "@role", "#": "#channel"}


def discord_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per message. Raises `CorpusError` if a file has another origin, or the author is not one person."""
    authors = Authors(source, config)
    kinds = [(member, _kind_of(member, source)) for member in members]
    private = {_folder(member) for member, kind in kinds if kind == "channel" and _is_private_channel(member)}
    for member, kind in kinds:
        with closing(member.open()) as file:
            stream = JsonStream(file, source.name_of(member))
            if kind == "exporter":
                yield from _exported_rows(stream, authors)
            elif kind == "package":
                yield from _package_rows(stream, authors, is_private=_folder(member) in private)
            elif kind != "channel":
                yield from _table_rows(file, source, authors, is_private=_folder(member) in private)
    authors.conclude()
    if config.author and any(kind.startswith("package") for _, kind in kinds):
        source.notes.append("--author is not used for a data package, which has only its owner's messages")


def _kind_of(member: Member, source: Source) -> FileKind:
    """Return the kind of a file. Raises `CorpusError` if it has another origin."""
    head = member.head()
    kind = "package" if head.split() == [b"[]"] else kind_of(head)  # a channel whose messages were deleted
    if kind is None:
        raise CorpusError(
            f"{source.name_of(member)} is no file of Discord's data package or of DiscordChatExporter.",
            "Give the package as a zip or folder, its messages.json, or the JSON that DiscordChatExporter writes.",
        )
    return kind


def _is_private_channel(member: Member) -> bool:
    """Return whether a `channel.json` is of a direct channel."""
    return is_private(channel_of(member.head().decode("utf-8-sig", "replace")).get("type"))


def _folder(member: Member) -> str:
    return member.name.rpartition("/")[0]


def _package_rows(stream: JsonStream, authors: Authors, *, is_private: bool) -> Iterator[Row]:
    """Yield the rows of a channel in the data package."""
    for message in stream.items():
        authors.count_own(is_private=is_private)
        yield _row(as_object(message).get("Contents"))


def _exported_rows(stream: JsonStream, authors: Authors) -> Iterator[Row]:
    """Yield the rows of a channel exported as JSON."""
    is_private_channel = False
    for key in stream.object_keys():
        if key == "channel":
            is_private_channel = is_private(as_object(stream.value()).get("type"))
        elif key == "messages" and stream.peek() == "[":
            for message in stream.items():
                yield _exported_row(as_object(message), authors, is_private=is_private_channel)
        else:
            stream.skip_value()


def _exported_row(message: dict[str, object], authors: Authors, *, is_private: bool) -> Row:
    """Return the text of a message if it is the author's."""
    author = as_object(message.get("author"))
    if not author or message.get("type") not in _WRITTEN:
        return SYSTEM_MESSAGE
    author_id, *names = (each if isinstance(each := author.get(key), str) else "" for key in _AUTHOR_KEYS)
    is_own = authors.is_own(author_id, *names, is_private=is_private)
    return _row(message.get("content")) if is_own else OF_ANOTHER_AUTHOR


def _table_rows(file: BinaryIO, source: Source, authors: Authors, *, is_private: bool) -> Iterator[Row]:
    """Yield the rows of a channel of the data package, or an exported one, as CSV."""
    records = iter(CsvRecords(decoded_lines(file, source), ","))
    columns: dict[str, int] = {}
    for record in records:
        if isinstance(record, DroppedRow):
            yield DroppedRow(record.reason)  # its example may have another author's words
            continue
        fields = record[1]
        if not columns:
            columns = {name: index for index, name in enumerate(fields)}
        elif not fields:
            continue
        elif len(fields) < len(columns):
            yield DroppedRow("with too few columns")
        elif "Contents" in columns:
            authors.count_own(is_private=is_private)
            yield _row(fields[columns["Contents"]])
        elif authors.is_own(fields[columns["AuthorID"]], fields[columns["Author"]]):
            yield _row(fields[columns["Content"]])
        else:
            yield OF_ANOTHER_AUTHOR


def _row(text: object) -> Row:
    """Return the text of a message of the author, or the dropped row with its reason."""
    words = _CODES.sub(_word_of, text) if isinstance(text, str) else ""
    return escape(words) if words.strip() else WITHOUT_TEXT


def _word_of(code: re.Match[str]) -> str:
    """Return the text that replaces a code: never the name of an account, nothing for a time."""
    if code["emoji"]:
        return f":{code['emoji']}:"
    return _KINDS[code["kind"]] if code["kind"] else code["command"] or code["link"] or ""
