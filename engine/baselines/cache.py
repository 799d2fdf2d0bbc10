"""The cache of measured baselines: one small JSON file per training tweets, validation tweets and vocabulary.

A damaged entry, or one of another version, is a miss. Never fails a run: errors of the cache are logged.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.corpus.encoded_tweets import EncodedTweets
from engine.errors import StorageError
from engine.model.vocab import Vocab
from engine.protocol import codec
from engine.storage.atomic_write import remove_stale_temporaries, write_atomically
from engine.storage.folders import cache_folder

LOG = logging.getLogger(__name__)
VERSION = 1
"""Incremented when the same tweets would give other figures, or the format of an entry changes."""
MAX_ENTRIES = 64
"""Beyond this, the least recently used entries are deleted."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """The content of a file."""

    names: tuple[str, ...]
    bits_per_char: tuple[float, ...]
    checksum: int


def key_of(train_digest: str, held_out: EncodedTweets, vocab: Vocab) -> str:
    """Return the key of the baselines of training tweets, by the digest of their corpus, on `held_out`."""
    digest = hashlib.sha256(f"{VERSION} {train_digest} {len(held_out)}\n".encode())
    digest.update("".join(vocab.chars).encode("utf-8", "surrogatepass"))
    digest.update(held_out.offsets.astype("<i8").tobytes())
    digest.update(held_out.token_ids.astype("<i8").tobytes())
    return digest.hexdigest()


def load(key: str, names: tuple[str, ...]) -> dict[str, float] | None:
    """Return the bits per character of the baselines stored under `key`; None unless these are `names`."""
    path = _path(key)
    try:
        entry = codec.decode(path.read_bytes(), _Entry)
    except FileNotFoundError:
        return None
    except (OSError, codec.DecodeError) as error:
        LOG.warning("baselines in the cache can't be used: %s", error)
        return None
    if entry != _entry_of(dict(zip(entry.names, entry.bits_per_char, strict=False))) or entry.names != names:
        LOG.warning("baselines in the cache can't be used: they are damaged")
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of last use, for the limit on entries
    return dict(zip(names, entry.bits_per_char, strict=True))


def store(key: str, bits: dict[str, float]) -> None:
    """Store the bits per character of baselines under `key`; errors are logged."""
    path = _path(key)
    try:
        remove_stale_temporaries(path.parent)
        write_atomically(path, codec.encode(_entry_of(bits)).encode())
        for old in sorted(path.parent.glob("*.json"), key=_last_use, reverse=True)[MAX_ENTRIES:]:
            old.unlink(missing_ok=True)
    except (OSError, StorageError) as error:
        LOG.warning("baselines can't be stored in the cache: %s", error)


def _entry_of(bits: dict[str, float]) -> _Entry:
    """Return the entry with the checksum of its names and figures."""
    checksum = zlib.crc32(np.array(list(bits.values()), "<f8").tobytes(), zlib.crc32(" ".join(bits).encode()))
    return _Entry(names=tuple(bits), bits_per_char=tuple(bits.values()), checksum=checksum)


def _last_use(path: Path) -> float:
    return path.stat().st_mtime


def _path(key: str) -> Path:
    return cache_folder() / "baselines" / f"{key}.json"
