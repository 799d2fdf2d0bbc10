"""`find`: the members of a path, detected by content rather than name; and `content_hash`, for the cache key."""

from __future__ import annotations

import contextlib
import hashlib
import io
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.corpus.files.archive_entries import MAX_MEMBERS, Contents, FoundMember, Wanted, too_many_files
from engine.corpus.files.decompress import DecompressionLimit, decompressed
from engine.corpus.files.disk_file import open_disk, status_of
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.files.refused import is_document, may_be_document
from engine.corpus.files.standard_input import shown_path
from engine.corpus.files.tars import looks_like_tar, tar_contents
from engine.corpus.files.walk import SkippedEntries, files_below
from engine.corpus.files.zips import MAGIC, open_zip, zip_contents
from engine.errors import CorpusError

_HEAD_BYTES = 65_536
"""Bytes of a zip archive that detection of a document sees."""


def find(path: Path, progress: ReadProgress, wanted: Wanted) -> Contents:
    """Return the members of a file, or those of a folder or archive whose names are `wanted`.

    Bytes that members read from disk are added to `progress`. Raises `CorpusError` if `path` can't be opened.
    """
    found = status_of(path)
    if stat.S_ISDIR(found.st_mode):
        return _in_folder(path, progress, wanted)

    def open_raw() -> io.BufferedReader:
        return open_disk(path, progress, found)

    return _in_file(path, open_raw, found.st_size, wanted)


def _in_file(path: Path, open_raw: Callable[[], io.BufferedReader], raw_bytes: int, wanted: Wanted) -> Contents:
    """Return the members of an archive, or the single member of another file."""
    shown = shown_path(path)
    limit = DecompressionLimit(shown, raw_bytes)

    def open_unpacked() -> io.BufferedReader:
        return decompressed(open_raw(), shown, limit)

    with open_raw() as file:
        head = file.read(_HEAD_BYTES)
    is_zip = head[:4] in MAGIC
    if is_zip and may_be_document(head) and is_document(open_zip(shown, open_raw).namelist()):
        return Contents((FoundMember(path.name, open_raw, raw_bytes),))
    if is_zip:
        return zip_contents(shown, open_raw, limit, wanted)
    with open_unpacked() as file:
        is_tar = looks_like_tar(file.read(512))
    if is_tar:
        return tar_contents(shown, open_unpacked, raw_bytes, limit, wanted)
    return Contents((FoundMember(path.name, open_unpacked, raw_bytes),))


def _in_folder(path: Path, progress: ReadProgress, wanted: Wanted) -> Contents:
    """Return the members of a folder, including those of archives in it."""
    members: list[FoundMember] = []
    skipped = SkippedEntries()
    for inside, file in files_below(path, wanted, skipped):
        contents = find(file, progress, _inside(inside, wanted))
        names = [f"{inside}/{member.name}" if contents.is_container else inside for member in contents.members]
        members += [replace(member, name=name) for member, name in zip(contents.members, names, strict=True)]
        skipped.left_out += [f"{inside}/{phrase}" for phrase in contents.left_out]
        skipped.others.add_all(contents.others, inside)
        if len(members) > MAX_MEMBERS:
            raise too_many_files(str(path), MAX_MEMBERS)
    return Contents(tuple(members), tuple(skipped.left_out), skipped.others, is_container=True)


def _inside(archive: str, wanted: Wanted) -> Wanted:
    """Return `wanted` for the names in an archive, whose path in the folder precedes them."""
    return lambda name: wanted(f"{archive}/{name}")


def content_hash(path: Path, wanted: Wanted) -> str:
    """Return a hash of a file's content, of a folder's `wanted` files, or of a zip's names and checksums.

    A zip is not read completely: an archive of X or Mastodon may contain gigabytes of pictures. Raises `CorpusError`.
    """
    found = status_of(path)
    if stat.S_ISDIR(found.st_mode):
        inside = [(name, content_hash(file, wanted)) for name, file in files_below(path, wanted, SkippedEntries())]
        return hashlib.sha256(repr(inside).encode("utf-8", "surrogatepass")).hexdigest()

    def open_raw() -> io.BufferedReader:
        return open_disk(path, ReadProgress(), found)

    with open_raw() as file:
        is_zip = file.read(4) in MAGIC
        file.seek(0)
        if is_zip:
            with contextlib.suppress(CorpusError):  # reading a damaged file reports it
                infos = open_zip(str(path), open_raw).infolist()
                names = [(info.filename, info.CRC, info.file_size) for info in infos]
                return hashlib.sha256(repr(names).encode("utf-8", "surrogatepass")).hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()
