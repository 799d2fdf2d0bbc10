"""Zip archives as members, read by `zipfile`."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from collections.abc import Callable
from functools import partial

from engine.corpus.opening.entries import Contents, FoundMember, Listing, Wanted
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
    archive = open_zip(shown, open_raw)
    listing = Listing[zipfile.ZipInfo](shown, wanted)
    for info in archive.infolist():
        listing.add(info.filename, info, is_file=not stat.S_ISLNK(info.external_attr >> 16))
    return listing.contents(
        FoundMember(name, partial(_opened, archive, info, f"{shown}: {name}", allowance, number), info.compress_size)
        for number, (name, info) in enumerate(listing.entries)
    )


def open_zip(shown: str, open_raw: Callable[[], io.BufferedReader]) -> zipfile.ZipFile:
    """Open a zip archive; nothing of it need be closed. Raises `CorpusError`."""
    try:
        return zipfile.ZipFile(open_raw())
    except UNPACKING_ERRORS as error:
        raise damaged(shown, "its list of entries, at the end of a zip, is missing or wrong") from error


def _opened(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, allowance: Allowance, number: int
) -> io.BufferedReader:
    """Open an entry. Raises `CorpusError`."""
    if info.flag_bits & _ENCRYPTED_FLAG:
        raise CorpusError(f"{name} is encrypted.", "Unpack it with its password and name the file in it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer Pythons warn of entries that share data; the allowance counts them
            entry = archive.open(info)
    except NotImplementedError as error:
        what = f"{name} is packed in a rare way (zip method {info.compress_type})."
        raise CorpusError(what, "Unpack it and name the file in it.") from error
    except UNPACKING_ERRORS as error:
        raise damaged(name, "it is not where the archive says") from error
    file = buffered(Unpacked((entry,), "zip", name, allowance, (number, -1)))
    return narrowed(unpacked(file, name, allowance, number))
