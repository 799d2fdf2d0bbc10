"""The corpus cache: a corpus that was read once is loaded in about a second the next time.

An entry is one safetensors file, named by a hash of the files' content and of every setting that affects the result. A
damaged entry, or one of another version, is a miss. Never fails a run: errors of the cache are logged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from engine.config.corpus import CorpusConfig
from engine.corpus.arrays import FlatTweets
from engine.corpus.corpus import Corpus
from engine.corpus.files.members import content_hash
from engine.corpus.formats import is_wanted
from engine.corpus.hashing import NoveltyIndex
from engine.corpus.report import CorpusReport
from engine.errors import StorageError
from engine.protocol import codec
from engine.storage.files import new_file, remove_stale_temporaries
from engine.storage.folders import cache_folder

LOG = logging.getLogger(__name__)
VERSION = 10
"""Incremented when the same files would give other tweets, or the format of an entry changes."""
MAX_ENTRIES = 16
"""Beyond this, the least recently used entries are deleted."""
_UNRELATED = {"files": (), "min_char_count": 1, "weight": (), "overfit": None}
"""Settings that do not affect the content of an entry."""


@dataclass(frozen=True, kw_only=True)
class _EntryMetadata:
    """An entry without its arrays."""

    num_train_by_file: tuple[int, ...]
    char_counts: dict[str, int]
    digest: str
    report: CorpusReport


def key_of(config: CorpusConfig) -> str:
    """Return the cache key of a corpus. Raises `CorpusError` if a file can't be read."""
    settings = codec.encode(replace(config, **_UNRELATED))  # type: ignore[arg-type] # a field's value by its name
    content = []
    for file in config.files:
        path = Path(os.path.expanduser(file))
        content.append((path.name, content_hash(path, lambda name: is_wanted(name, config))))
    return hashlib.sha256(json.dumps([VERSION, settings, content]).encode()).hexdigest()


def load(key: str, name: str) -> Corpus | None:
    """Return the corpus stored under `key`, with this `name`; None if there is no valid entry."""
    path = _path(key)
    try:
        with safe_open(path, framework="numpy") as entry:
            metadata = entry.metadata()
            arrays = {array_name: entry.get_tensor(array_name) for array_name in entry.keys()}  # noqa: SIM118 - no mapping
        if str(_checksum(arrays, metadata["facts"])) != metadata["checksum"]:
            raise ValueError("the checksum differs")
        facts = codec.decode(metadata["facts"], _EntryMetadata)
        corpus = Corpus(
            name=name,
            train=FlatTweets(arrays["train.utf8"], arrays["train.offsets"]),
            validation=FlatTweets(arrays["validation.utf8"], arrays["validation.offsets"]),
            num_train_by_file=facts.num_train_by_file,
            char_counts=facts.char_counts,
            novelty=NoveltyIndex(arrays["novelty.whole"], arrays["novelty.windows"]),
            digest=facts.digest,
            report=facts.report,
            was_cached=True,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        LOG.warning("a corpus in the cache can't be used: %s", error)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of last use, for the limit on entries
    return corpus


def store(key: str, corpus: Corpus) -> None:
    """Store a corpus under `key`; errors are logged."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "train.utf8": corpus.train.utf8,
        "train.offsets": corpus.train.offsets,
        "validation.utf8": corpus.validation.utf8,
        "validation.offsets": corpus.validation.offsets,
        "novelty.whole": corpus.novelty.whole,
        "novelty.windows": corpus.novelty.windows,
    }
    facts = _EntryMetadata(
        num_train_by_file=corpus.num_train_by_file,
        char_counts=corpus.char_counts,
        digest=corpus.digest,
        report=corpus.report,
    )
    encoded = codec.encode(facts)
    path = _path(key)
    try:
        remove_stale_temporaries(path.parent)
        with new_file(path) as new:
            save_file(arrays, new.temporary, metadata={"facts": encoded, "checksum": str(_checksum(arrays, encoded))})
        for old in _entries()[MAX_ENTRIES:]:
            old.unlink(missing_ok=True)
    except (OSError, StorageError, SafetensorError) as error:
        LOG.warning("a corpus can't be stored in the cache: %s", error)


def _entries() -> list[Path]:
    """Return all entries, the most recently used first."""
    return sorted(_folder().glob("*.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)


def _folder() -> Path:
    return cache_folder() / "corpora"


def _path(key: str) -> Path:
    return _folder() / f"{key}.safetensors"


def _checksum(arrays: dict[str, npt.NDArray[Any]], facts: str) -> int:
    """Return the CRC-32 of the metadata and all arrays."""
    checksum = zlib.crc32(facts.encode())
    for _, array in sorted(arrays.items()):
        checksum = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, checksum)
    return checksum
