"""From a path of the user's to readable members, detected by content rather than name; and copies of pipes.

`find` lists a file, a folder or an archive. In folders, every file is visited once, sorted, and the folder never left.
`content_hash` is for the cache's key. `with_saved_streams` stores standard input and pipes as files named by their
SHA-256, so that a run can be resumed later; nothing else is ever written.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from engine.config.corpus import STANDARD_INPUT
from engine.corpus.files.archives import (
    MAX_ENTRIES,
    MAX_MEMBERS,
    ZIP_MAGIC,
    Contents,
    Wanted,
    is_archive,
    looks_like_tar,
    open_zip,
    tar_contents,
    too_many_files,
    zip_contents,
)
from engine.corpus.files.refused import is_document
from engine.corpus.files.streams import (
    HEAD_BYTES,
    DecompressionLimit,
    Member,
    ReadProgress,
    decompressed,
    open_disk,
    read_errors,
    status_of,
)
from engine.errors import CorpusError
from engine.storage.files import new_file, remove_stale_temporaries

LINK_AWAY = " (a link that leaves the folder: give its target)"


def find(path: Path, progress: ReadProgress, wanted: Wanted) -> Contents:
    """Return the members of a file, or those of a folder or archive whose paths inside are `wanted`.

    Bytes that members read from disk are added to `progress`. Raises `CorpusError` if `path` can't be opened.
    """
    found = status_of(path)
    if stat.S_ISDIR(found.st_mode):
        return _in_folder(path, progress, wanted)
    shown = shown_path(path)
    limit = DecompressionLimit(shown, found.st_size)
    open_raw = partial(open_disk, path, progress, found)

    def open_unpacked() -> io.BufferedReader:
        return decompressed(open_raw(), shown, limit)

    with open_raw() as file:
        head = file.read(HEAD_BYTES)
    if head[:4] in ZIP_MAGIC:
        archive = open_zip(shown, open_raw)
        if is_document(head, archive.namelist()):
            return Contents([Member(path.name, open_raw, found.st_size)], is_container=False)
        return zip_contents(shown, archive, limit, wanted)
    with open_unpacked() as file:
        is_tar = looks_like_tar(file.read(512))
    if is_tar:
        return tar_contents(shown, open_unpacked, found.st_size, limit, wanted)
    return Contents([Member(path.name, open_unpacked, found.st_size)], is_container=False)


def _in_folder(path: Path, progress: ReadProgress, wanted: Wanted) -> Contents:
    """Return the members of a folder, including those of archives in it."""
    contents = Contents()
    for inside, file in _files_below(path, wanted, contents):
        contents.add(inside, find(file, progress, partial(_is_wanted_inside, wanted, inside)))
        if len(contents.members) > MAX_MEMBERS:
            raise too_many_files(str(path), MAX_MEMBERS)
    return contents


def _is_wanted_inside(wanted: Wanted, archive: str, name: str) -> bool:
    return wanted(f"{archive}/{name}")


def _files_below(folder: Path, wanted: Wanted, contents: Contents) -> list[tuple[str, Path]]:
    """Return all archives and `wanted` files that are not hidden, as (path inside `folder`, path).

    Links are followed within the folder, since some programs store their data behind links. Links to other places,
    subfolders that can't be listed, and unsupported files are added to `contents`. Raises `CorpusError` if `folder`
    can't be listed or has too many files.
    """
    root = os.path.realpath(folder)
    seen: set[tuple[int, int]] = set()
    waiting = [("", folder)]
    files: list[tuple[str, Path]] = []
    num_entries = 0
    while waiting:
        inside, path = waiting.pop()
        try:
            found = os.stat(path)
        except OSError:
            continue  # a broken or cyclic link, or a deleted file
        is_file, is_folder = stat.S_ISREG(found.st_mode), stat.S_ISDIR(found.st_mode)
        if (found.st_dev, found.st_ino) in seen:
            continue
        if is_file and not (is_archive(inside) or wanted(inside)):
            contents.unsupported.add(inside)
            continue  # a link with a wanted name may lead to it
        seen.add((found.st_dev, found.st_ino))
        if (is_file or is_folder) and path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
            contents.skipped.append(inside + LINK_AWAY)
        elif is_file:
            files.append((inside, path))
            if len(files) > MAX_MEMBERS:
                raise too_many_files(str(folder), MAX_MEMBERS)
        elif is_folder:
            names = _names_in(path, inside, contents.skipped)
            num_entries += len(names)
            if num_entries > MAX_ENTRIES:
                raise too_many_files(str(folder), MAX_ENTRIES)
            prefix = f"{inside}/" if inside else ""
            waiting += [(prefix + name, path / name) for name in names]
    return files


def _names_in(folder: Path, inside: str, skipped: list[str]) -> list[str]:
    """Return the names in a folder that are not hidden, in reverse order: the caller pops from the end."""
    try:
        with read_errors(folder):
            names = os.listdir(folder)
    except CorpusError:
        if not inside:
            raise
        skipped.append(f"{inside} (a folder that can't be listed)")
        names = []
    return sorted((name for name in names if not name.startswith(".")), reverse=True)


def content_hash(path: Path, wanted: Wanted) -> str:
    """Return a hash of a file's content, of a folder's `wanted` files, or of a zip's names and checksums.

    A zip is not read completely: an archive of X or Mastodon may contain gigabytes of pictures. Raises `CorpusError`.
    """
    found = status_of(path)
    if stat.S_ISDIR(found.st_mode):
        inside = [(name, content_hash(file, wanted)) for name, file in _files_below(path, wanted, Contents())]
        return _hash_of(inside)
    open_raw = partial(open_disk, path, ReadProgress(), found)
    with open_raw() as file:
        is_zip = file.read(4) in ZIP_MAGIC
        file.seek(0)
        if is_zip:
            with contextlib.suppress(CorpusError):  # reading a damaged file reports it
                infos = open_zip(str(path), open_raw).infolist()
                return _hash_of([(info.filename, info.CRC, info.file_size) for info in infos])
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(listed: Sequence[tuple[object, ...]]) -> str:
    """Return a hash of a list of names and numbers."""
    return hashlib.sha256(repr(listed).encode("utf-8", "surrogatepass")).hexdigest()


# Standard input and pipes ---------------------------------------------------------------------------------------------

MAX_STREAM_BYTES = 16 << 30
_STREAM_SHOWN = "standard input"
_CHUNK_BYTES = 1 << 20
_STALE_SECONDS = 24 * 3600.0
_KEPT_NAME = re.compile(r"standard-input-[0-9a-f]{64}")


def shown_path(path: Path) -> str:
    """Return a path for display; a copy of standard input is shown as such."""
    return _STREAM_SHOWN if _KEPT_NAME.fullmatch(path.name) else str(path)


def with_saved_streams(files: tuple[str, ...], stream: BinaryIO, folder: Path) -> tuple[str, ...]:
    """Return `files` with "-" and every pipe (`<(command)`) replaced by a copy in `folder`.

    `stream` is standard input. A pipe without a writer is an error; the call never blocks on it.
    """
    kept: dict[str, str] = {}
    for file in files:
        path = Path(os.path.expanduser(file))
        if file in kept:
            continue
        if file == STANDARD_INPUT:
            kept[file] = str(save_stream(stream, folder))
        elif _is_pipe(path):
            with read_errors(path):
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without waiting for a writer
                os.set_blocking(descriptor, True)
            with os.fdopen(descriptor, "rb") as pipe:
                kept[file] = str(save_stream(pipe, folder, path))
    return tuple(kept.get(file, file) for file in files)


def _is_pipe(path: Path) -> bool:
    """Return whether a path is a pipe; False on an error, which opening the path will report."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def save_stream(stream: BinaryIO, folder: Path, pipe: Path | None = None) -> Path:
    """Copy a stream into a file in `folder`, named by its SHA-256; return its path. Equal content is stored once.

    `stream` is standard input, or that of `pipe`. Raises `CorpusError` if it is empty or too long, `StorageError` if
    the folder can't be written; neither leaves a file.
    """
    if stream.isatty():
        raise CorpusError("Standard input is a terminal, not a pipe.", "Pipe tweets into the program, or give a file.")
    remove_stale_temporaries(folder, _STALE_SECONDS)
    digest = hashlib.sha256()
    with new_file(folder / "standard-input") as new:
        for chunk in _chunks(stream, pipe):
            digest.update(chunk)
            new.write(chunk)
        new.path = folder / f"standard-input-{digest.hexdigest()}"
    return new.path


def _chunks(stream: BinaryIO, pipe: Path | None) -> Iterator[bytes]:
    """Yield the content of standard input or a pipe. Raises `CorpusError` if it is empty or too long."""
    num_bytes = 0
    while True:
        with read_errors(pipe or Path(_STREAM_SHOWN)):
            chunk = stream.read(_CHUNK_BYTES)
        if not chunk:
            break
        num_bytes += len(chunk)
        if num_bytes > MAX_STREAM_BYTES:
            what = f"{pipe or 'Standard input'} has more than {MAX_STREAM_BYTES >> 30} GB."
            raise CorpusError(what, "Save it as a file and give that.")
        yield chunk
    if not num_bytes and pipe is not None:
        raise CorpusError(
            f"{pipe} is a pipe to which no program writes.",
            "Start the program that writes to it first, or check that it has output.",
        )
    if not num_bytes:
        raise CorpusError("Standard input is empty.", "Pipe in one tweet per row.")
