"""WhatsApp's exported chat: `_chat.txt` (iOS) or `WhatsApp Chat with NAME.txt` (Android), alone or in a zip with media.

A message is one or more lines, of which the first has date, time and author:

    [31/12/19, 21:41:00] Mia: text         iOS
    31/12/19, 21:41 - Mia: text            Android
    31.12.15 21:41:00: Mia: text           iOS before 2017
    [21:41, 31/12/2019] Mia: text          copied from the app, or [31/12, 21:41]

The order and separators of the date and the clock depend on the phone's language: `[2019-12-31, 9:41:00 p.m.]`,
`31.12.19 klo 21.41 - `, `21:41, 31/12/2019 - `. Lines without an author are system messages, as is most text after a
left-to-right mark (see `whatsapp_text`). The export does not name its owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.chats.authors import (
    OF_ANOTHER_AUTHOR,
    SYSTEM_MESSAGE,
    WITHOUT_TEXT,
    Authors,
    comparable,
)
from engine.corpus.readers.chats.whatsapp_text import own_words
from engine.corpus.readers.lines import Line, decoded_lines, head_lines
from engine.corpus.readers.text_rows import MAX_PARAGRAPH_CHARS, OVER_LONG_PIECE
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError
from engine.text import escape

_MARKS = "[\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]*+"
_TO = rf"{_MARKS}(?:[./-]|년|月|年|월){_MARKS} ?{_MARKS}"
_DATE = rf"\d{{1,4}}{_TO}\d{{1,2}}{_TO}\d{{1,4}}"
_TIME = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?"
_WORDS = r"[^\d\[\]:]{0,16}?"
"""Text between date and time, or after the time: ", ", " klo ", "\u202fPM", " p. m."."""
_WHEN = rf"(?:{_DATE}{_WORDS}{_TIME}|{_TIME}{_WORDS}{_DATE}){_WORDS}"
_IN_BRACKETS = re.compile(rf"{_MARKS}\[{_MARKS}{_WHEN}\] ?(.*)", re.DOTALL)
_COPIED = re.compile(rf"{_MARKS}\[\d{{1,2}}{_TO}\d{{1,2}}, {_TIME}{_WORDS}\] ?(.*)", re.DOTALL)
_BEFORE_A_DASH = re.compile(rf"{_MARKS}{_WHEN} [-–] (.*)", re.DOTALL)
_BEFORE_A_COLON = re.compile(rf"{_MARKS}{_DATE}{_WORDS}{_TIME}(?: ?[AaPp][Mm])?: (.*)", re.DOTALL)
_STYLES = (_IN_BRACKETS, _COPIED, _BEFORE_A_DASH, _BEFORE_A_COLON)
_AFTER_NAME = re.compile(r":(?: |$)")
_NO_NAME = re.compile('["“”„«»]')  # "Mia changed the subject to “Trip: Rome”"
_MAX_NAME_CHARS = 80
_MIN_SHARE = 0.1
"""Of the first lines of a chat, those that begin a message: the others belong to messages of several lines."""

_MANY_NAMES = 20
"""Messages of a chat of which several must be of one author; in a short chat, everyone may have written once."""
_FIRST_LINES_BYTES = 4_096
_MAX_LINES_BEFORE = 5
"""First lines of which one begins a message: there may be a note above the chat."""
_FILE = re.compile(r"(?:_chat[ \d()-]*|.*whatsapp.*)\.txt", re.IGNORECASE)
_EXPORT = re.compile(r"[^/]*(?:whatsapp[^/]*|\.zip)/$", re.IGNORECASE)


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a chat: one of its first lines begins a message, and authors recur.

    In a list of dated texts, what precedes a colon never recurs.
    """
    first = [line for line in head_lines(head[:_FIRST_LINES_BYTES]) if line.strip()][:_MAX_LINES_BEFORE]
    style = next(filter(None, map(_style_of, first)), None)
    if style is None:
        return False
    lines = [line for line in head_lines(head) if line.strip()]
    begun = [found[1] for line in lines if (found := style.fullmatch(line))]
    names = [rest[: colon.start()] for rest in begun if (colon := _AFTER_NAME.search(rest))]
    has_authors = 0 < len(names) < _MANY_NAMES or 2 * len(set(names)) < len(names)
    return has_authors and len(begun) >= _MIN_SHARE * len(lines)


def archive_root(name: str) -> str | None:
    """Return the folder in which exported chats are beside each other; None if the file is not read.

    A chat is a file there, or in a folder or zip of its own.
    """
    folder, _, file_name = name.rpartition("/")
    return _EXPORT.sub("", f"{folder}/" if folder else "") if _FILE.fullmatch(file_name) else None


def whatsapp_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per message. Raises `CorpusError` if a file is no chat, or the author does not occur in any."""
    authors = Authors(source, config, is_text=True)
    for member in members:
        with closing(member.open()) as file:
            yield from _Chat(authors, config.author or "").rows(decoded_lines(file, source), source.name_of(member))
    authors.conclude()


@dataclass
class _Message:
    """A message of the author while its lines are read."""

    lines: list[str] = field(default_factory=list)
    num_chars: int = 0
    problem: DroppedRow | None = None

    def add(self, line: Line) -> None:
        """Add a line; a dropped one, which may have begun another message, drops this one."""
        if isinstance(line, DroppedRow):
            self.problem = DroppedRow(line.reason)
            return
        self.lines.append(line)
        self.num_chars += len(line) + 1
        if self.num_chars > MAX_PARAGRAPH_CHARS:
            self.problem = DroppedRow(OVER_LONG_PIECE)
            self.lines.clear()

    def row(self) -> Row:
        """Return the text of a message of the author, or the dropped row with its reason."""
        if self.problem is not None:
            return self.problem
        text = own_words(self.lines)
        return escape(text) if text else WITHOUT_TEXT


class _Chat:
    """Divides the lines of a chat into messages."""

    def __init__(self, authors: Authors, wanted: str) -> None:
        self._authors = authors
        self._wanted = comparable(wanted)
        self._has_colon = ": " in wanted  # else a name ends at the first colon

    def rows(self, lines: Iterator[Line], name: str) -> Iterator[Row]:
        """Yield a row per message. Raises `CorpusError` if there are no messages."""
        style: re.Pattern[str] | None = None
        message: _Message | None = None
        for line in lines:
            style = style or _style_of(line)
            begun = style.fullmatch(line) if style is not None and isinstance(line, str) else None
            if begun is None:
                if message is not None:
                    message.add(line)
                elif isinstance(line, DroppedRow):
                    yield DroppedRow(line.reason)
                elif style is None and line.strip():
                    yield DroppedRow("before the first message")
                continue
            if message is not None:
                yield message.row()
            row = self._begun(begun[1])
            message = row if isinstance(row, _Message) else None
            if isinstance(row, DroppedRow):
                yield row
        if message is not None:
            yield message.row()
        if style is None:
            raise CorpusError(
                f"{name} is no chat exported from WhatsApp: no line begins with a date, a time and a name.",
                "Give the .txt file or the zip that WhatsApp's “Export chat” makes.",
            )

    def _begun(self, rest: str) -> _Message | DroppedRow:
        """Return the message of the author that begins with a line, without its date, or why it is not read."""
        end = self._end_of_name(rest)
        author = rest[:end]
        if not 0 <= end <= _MAX_NAME_CHARS or (_NO_NAME.search(author) and comparable(author) != self._wanted):
            return SYSTEM_MESSAGE
        if not self._authors.is_own("", author.strip(), is_private=True):
            return OF_ANOTHER_AUTHOR
        message = _Message()
        message.add(rest[end + 1 :].removeprefix(" "))
        return message

    def _end_of_name(self, rest: str) -> int:
        """Return the position of the colon after the author's name, or -1."""
        ends = [found.start() for found in _AFTER_NAME.finditer(rest, 0, _MAX_NAME_CHARS + 2)] or [-1]
        return next((end for end in ends if self._has_colon and comparable(rest[:end]) == self._wanted), ends[0])


def _style_of(line: Line) -> re.Pattern[str] | None:
    """Return the pattern of the lines that begin a message, by the first of them."""
    if isinstance(line, DroppedRow):
        return None
    return next((style for style in _STYLES if style.fullmatch(line)), None)
