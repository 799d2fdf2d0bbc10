"""The cache of baselines: an entry is exact, a damaged one is a miss, and their number is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.baselines import cache
from engine.baselines.cache import MAX_ENTRIES
from engine.storage import atomic_write
from engine.storage.folders import cache_folder
from tests.fakes import BrokenDisk

BITS = {"uniform": 6.93, "unigram": 4.7738032751588, "witten_bell_2": 3.1}
NAMES = tuple(BITS)


def entries() -> list[Path]:
    return sorted((cache_folder() / "baselines").glob("*"))


def test_an_entry_is_loaded_as_it_was_stored() -> None:
    assert cache.load("key", NAMES) is None
    cache.store("key", BITS)
    assert cache.load("key", NAMES) == BITS
    assert cache.load("other", NAMES) is None


def test_an_entry_of_other_baselines_is_a_miss() -> None:
    cache.store("key", BITS)
    assert cache.load("key", (*NAMES, "witten_bell_3")) is None


@pytest.mark.parametrize("position", range(0, 140, 3))
def test_a_changed_byte_is_a_miss_and_so_is_a_cut(position: int) -> None:
    cache.store("key", BITS)
    [path] = entries()
    content = path.read_bytes()
    position %= len(content)

    path.write_bytes(content[:position])
    assert cache.load("key", NAMES) is None
    changed = bytes([content[position] ^ 1])
    path.write_bytes(content[:position] + changed + content[position + 1 :])
    assert cache.load("key", NAMES) is None

    cache.store("key", BITS)
    assert cache.load("key", NAMES) == BITS


def test_the_least_recently_used_entries_are_deleted() -> None:
    for number in range(MAX_ENTRIES):
        cache.store(f"key{number}", BITS)
    for age, path in enumerate(entries()):
        os.utime(path, (age, age))
    oldest = entries()[0].stem
    assert cache.load(oldest, NAMES) == BITS

    cache.store("another", BITS)

    assert len(entries()) == MAX_ENTRIES
    assert cache.load(oldest, NAMES) == BITS


def test_a_full_disk_leaves_no_entry_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_write, "os", BrokenDisk(breaks_at=0))
    cache.store("key", BITS)
    assert entries() == []
    assert cache.load("key", NAMES) is None
