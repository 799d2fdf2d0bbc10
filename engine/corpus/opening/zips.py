"""Zip archives as members, read by `zipfile`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import partial

from engine.corpus.opening.entries import (
    MAX_MEMBERS,
    Contents,
    FoundMember,
    Wanted,
    is_hidden,
    is_looked_at,
    reason_against,
    too_many,
)
from engine.corpus.opening.streams import buffered
from engine.corpus.opening.unpacking import UNPACKING_ERRORS, Allowance, Unpacked, damaged, unpacked
from engine.corpus.opening.wide_text import narrowed
from engine.errors import CorpusError

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED_FLAG = 0x1


def zip_contents(
    shown: str, open_raw: Callable[[], io.BufferedReader], allowance: Allowance, wanted: Wanted
) -> Contents:
    """Return the wanted members of a zip archive. Raises `CorpusError`."""
    members: list[FoundMember] = []
    left_out: list[str] = []
    num_others = 0
    archive = open_zip(shown, open_raw)
    for number, info in enumerate(archive.infolist()):
        name = info.filename.replace("\\", "/").removeprefix("./")
        if not name or name.endswith("/") or is_hidden(name):
            continue
        if not is_looked_at(name, wanted):
            num_others += 1
        elif reason := reason_against(name):
            left_out.append(f"{name} ({reason})")
        elif _is_link(info):
            left_out.append(f"{name} (a link)")
        elif len(members) == MAX_MEMBERS:
            raise too_many(shown, MAX_MEMBERS)
        else:
            opened = partial(_opened, archive, info, f"{shown}: {name}", allowance, number)
            members.append(FoundMember(name, opened, raw_bytes=info.compress_size))
    return Contents(tuple(members), tuple(left_out), num_others, is_container=True)


def open_zip(shown: str, open_raw: Callable[[], io.BufferedReader]) -> zipfile.ZipFile:
    """Open a zip archive; nothing of it need be closed. Raises `CorpusError`."""
    try:
        return zipfile.ZipFile(open_raw())
    except UNPACKING_ERRORS as error:
        raise damaged(shown, "its list of entries, at the end of a zip, is missing or wrong") from error


def _is_link(info: zipfile.ZipInfo) -> bool:
    """Say whether an entry is a symbolic link, as Unix programs store them."""
    return (info.external_attr >> 16) & 0o170000 == 0o120000


def _opened(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, allowance: Allowance, number: int
) -> io.BufferedReader:
    """Open an entry. Raises `CorpusError`."""
    if info.flag_bits & _ENCRYPTED_FLAG:
        raise CorpusError(f"{name} is encrypted.", "Unpack it with its password and name the file in it.")
    try:
        entry = archive.open(info)
    except NotImplementedError as error:
        what = f"{name} is packed in a rare way (zip method {info.compress_type})."
        raise CorpusError(what, "Unpack it and name the file in it.") from error
    except UNPACKING_ERRORS as error:
        raise damaged(name, "it is not where the archive says") from error
    file = buffered(Unpacked((entry,), "zip", name, allowance, (number, -1)))
    return narrowed(unpacked(file, name, allowance, number))
