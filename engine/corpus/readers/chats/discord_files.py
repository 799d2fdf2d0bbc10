"""The files of Discord's data package and of DiscordChatExporter, detected by their first bytes and their paths.

The data package has, below a folder whose name depends on the language, `c123/messages.json` (before 2024
`messages.csv`) with the owner's messages in a channel, and `c123/channel.json` with the channel's type.
DiscordChatExporter, a program that exports channels with everyone's messages, names its files `Server - channel
[123].json`.
"""

from __future__ import annotations

import re
from typing import Literal

from engine.corpus.readers.json_files.json_values import as_object, decode
from engine.corpus.types import Member

FileKind = Literal["package", "package table", "channel", "exporter", "exporter table"]

_ID = r'"?\d{5,20}"?'
_STARTS: tuple[tuple[FileKind, re.Pattern[str]], ...] = (
    ("package", re.compile(rf'\s*\[\s*\{{\s*"ID"\s*:\s*{_ID}\s*,\s*"Timestamp"\s*:\s*"[^"]*"\s*,\s*"Contents"\s*:')),
    ("package table", re.compile(r"ID,Timestamp,Contents,Attachments[\r\n]")),
    ("exporter", re.compile(r'\s*\{\s*"guild"\s*:\s*\{(?:[^{}"]|"(?:[^"\\]|\\.)*+")*+\}\s*,\s*"channel"\s*:\s*\{')),
    ("exporter table", re.compile(r"AuthorID,Author,Date,Content,Attachments(?:,Reactions)?[\r\n]")),
)
_CHANNEL = re.compile(rf'\s*\{{\s*"id"\s*:\s*{_ID}\s*,\s*"type"\s*:\s*(?:\d{{1,2}}|"[A-Z_]+")\s*[,}}]')
_CHANNEL_KEYS = frozenset({"id", "type", "name", "guild", "recipients"})
_PRIVATE_TYPES = ("1", "3", "DM", "GROUP_DM", "DirectTextChat", "DirectGroupTextChat")

_PACKAGE_FILE = re.compile(r"(?:((?:[^/]+/)*?)(?:[^/]+/)?c?\d{15,20}/|(.*/)?)(?:messages\.(?:json|csv)|channel\.json)")
_EXPORTER_FILE = re.compile(r"(.*/)?[^/]*\[\d{15,20}\](?: \([^/()]*\))?(?: \[part \d+\])?\.(?:json|csv)")


def kind_of(head: bytes) -> FileKind | None:
    """Return the kind of a file with these first bytes; None for a file of another origin."""
    text = head.decode("utf-8-sig", "replace")
    if _CHANNEL.match(text):
        return "channel" if channel_of(text) else None
    return next((kind for kind, start in _STARTS if start.match(text)), None)


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as one of these files."""
    return kind_of(head) is not None


def channel_of(text: str) -> dict[str, object]:
    """Return the content of a `channel.json`; empty if the text is another file's."""
    try:
        channel = as_object(decode(text))
    except ValueError:
        return {}
    return channel if channel.keys() <= _CHANNEL_KEYS else {}


def messages_first(member: Member) -> int:
    """Return a sort key that puts the files with messages first."""
    return int(member.name.endswith("channel.json"))


def is_private(channel_type: object) -> bool:
    """Return whether a channel of this type is a direct one, of two people or a group."""
    return (f"{channel_type:.0f}" if isinstance(channel_type, float) else channel_type) in _PRIVATE_TYPES


def archive_root(name: str) -> str | None:
    """Return the folder of the package or of the exported channels; None if the file is not read."""
    package = _PACKAGE_FILE.fullmatch(name)
    found = package or _EXPORTER_FILE.fullmatch(name)
    return next((folder for folder in found.groups() if folder), "") if found else None
