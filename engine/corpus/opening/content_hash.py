"""A hash of what was named, by its content: equal for equal content, wherever it lies and whenever it was written."""

from __future__ import annotations

import contextlib
import hashlib
import io
import stat
from pathlib import Path

from engine.corpus.opening.disk import Fingerprint, Meter, open_disk, status_of
from engine.corpus.opening.entries import Wanted
from engine.corpus.opening.walking import PassedOver, files_below
from engine.corpus.opening.zips import MAGIC, open_zip
from engine.errors import CorpusError


def content_hash(path: Path, wanted: Wanted) -> str:
    """Return a hash of a file; of a folder's files that are `wanted` by name; of a zip's names and checksums.

    A zip is not read through, for an archive of X or Mastodon may hold gigabytes of pictures. Raises `CorpusError`.
    """
    found = status_of(path)
    if stat.S_ISDIR(found.st_mode):
        inside = [(name, content_hash(file, wanted)) for name, file in files_below(path, wanted, PassedOver())]
        return hashlib.sha256(repr(inside).encode("utf-8", "surrogatepass")).hexdigest()

    def open_raw() -> io.BufferedReader:
        return open_disk(path, Meter(), Fingerprint.of(found))

    with open_raw() as file:
        is_zip = file.read(4) in MAGIC
        file.seek(0)
        if is_zip:
            with contextlib.suppress(CorpusError):  # a damaged one is told of by those who read it
                infos = open_zip(str(path), open_raw).infolist()
                names = [(info.filename, info.CRC, info.file_size) for info in infos]
                return hashlib.sha256(repr(names).encode("utf-8", "surrogatepass")).hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()
