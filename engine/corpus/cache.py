"""Corpora that were read once, kept in the user's cache folder: opened again in a second, whatever their size.

An entry is one safetensors file, named by a hash of the files' content and of every setting that changes what becomes
of them. It is written beside and renamed; one that is damaged or of another version is as if there were none. A cache
that can't be written costs time, never a run.
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
from engine.corpus.corpus import Corpus
from engine.corpus.files.contents import content_hash
from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.formats import is_wanted
from engine.corpus.report import CorpusReport
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.errors import StorageError
from engine.protocol import codec
from engine.storage.atomic_write import new_file, remove_stale_temporaries
from engine.storage.folders import cache_folder

LOG = logging.getLogger(__name__)
VERSION = 3
"""Changes whenever the same files would become other tweets, or an entry looks otherwise."""
MAX_ENTRIES = 16
"""The ones that were not opened for the longest time go first."""
_UNRELATED = {"files": (), "min_char_count": 1, "weight": (), "overfit": None}
"""Settings that change nothing in an entry."""


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What an entry holds besides its arrays."""

    num_train_by_file: tuple[int, ...]
    char_counts: dict[str, int]
    digest: str
    report: CorpusReport


def key_of(config: CorpusConfig) -> str:
    """Return the name of a corpus in the cache. Raises `CorpusError` where a file can't be read."""
    settings = codec.encode(replace(config, **_UNRELATED))  # type: ignore[arg-type] # a field's value by its name
    content = []
    for file in config.files:
        path = Path(os.path.expanduser(file))
        content.append((path.name, content_hash(path, lambda name: is_wanted(name, config.format))))
    return hashlib.sha256(json.dumps([VERSION, settings, content]).encode()).hexdigest()


def load(key: str, name: str) -> Corpus | None:
    """Return the corpus kept under `key`, called `name`; None where there is none that is whole."""
    path = _path(key)
    try:
        with safe_open(path, framework="numpy") as entry:
            metadata = entry.metadata()
            arrays = {array_name: entry.get_tensor(array_name) for array_name in entry.keys()}  # noqa: SIM118 - no mapping
        if str(_checksum(arrays, metadata["facts"])) != metadata["checksum"]:
            raise ValueError("the checksum differs")
        facts = codec.decode(metadata["facts"], _Facts)
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
        os.utime(path)  # when it was last opened decides how long it is kept
    return corpus


def store(key: str, corpus: Corpus) -> None:
    """Keep a corpus under `key`; what can't be written is not kept."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "train.utf8": corpus.train.utf8,
        "train.offsets": corpus.train.offsets,
        "validation.utf8": corpus.validation.utf8,
        "validation.offsets": corpus.validation.offsets,
        "novelty.whole": corpus.novelty.whole,
        "novelty.windows": corpus.novelty.windows,
    }
    facts = _Facts(
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
        LOG.warning("a corpus can't be kept in the cache: %s", error)


def _entries() -> list[Path]:
    """Return all entries, the one that was opened last first."""
    return sorted(_folder().glob("*.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)


def _folder() -> Path:
    """Return where the entries lie."""
    return cache_folder() / "corpora"


def _path(key: str) -> Path:
    """Return where the entry of that key lies."""
    return _folder() / f"{key}.safetensors"


def _checksum(arrays: dict[str, npt.NDArray[Any]], facts: str) -> int:
    """Return a checksum of all that an entry holds."""
    checksum = zlib.crc32(facts.encode())
    for _, array in sorted(arrays.items()):
        checksum = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, checksum)
    return checksum
