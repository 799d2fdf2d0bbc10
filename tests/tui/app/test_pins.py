"""The file of pinned tweets: several screens save to it, and what it holds is never lost."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.errors import StorageError
from tests.fakes import tweet_sampled
from tui.app.pins import PinsFile, merged

TWEETS = tuple(tweet_sampled(f"tweet {number}", number, char_bits=(0.1, 1 / 3)) for number in range(6))


def test_pins_are_equal_after_a_round_trip_and_an_older_set_never_replaces_a_newer_one(tmp_path: Path) -> None:
    hostile = tweet_sampled('a "quoted", 👩\u200d👧 [red]\\n', 3)
    pins = merged((*TWEETS[:2], hostile, *TWEETS[4:]))
    path = tmp_path / "a run" / "pins.jsonl"
    PinsFile(path).save(pins, 1)
    assert PinsFile(path).read() == pins
    assert len(path.read_bytes().splitlines()) == len(pins)
    assert [entry.name for entry in path.parent.iterdir()] == ["pins.jsonl"]
    file = PinsFile(tmp_path / "pins.jsonl")
    file.save(TWEETS[:3], 2)
    file.save(TWEETS[:1], 1)
    assert file.read() == TWEETS[:3]


def test_lines_that_are_not_tweets_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pins.jsonl"
    foreign = b'{torn\n\xff\xfe\0\n{"event":"TweetSampled","text":{"by":"a newer version"}}\n'
    PinsFile(path).save(TWEETS[:2], 1)
    path.write_bytes(foreign + path.read_bytes())
    file = PinsFile(path)
    file.save(TWEETS[2:3], 1)
    file.save(merged((*file.read(), *TWEETS[3:])), 2)
    assert path.read_bytes().endswith(b"\n" + foreign)
    assert PinsFile(path).read() == TWEETS
    assert len(path.read_bytes().splitlines()) == len(TWEETS) + 3


def test_pins_that_could_not_be_read_are_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pins.jsonl"
    PinsFile(path).save(TWEETS[:3], 1)
    file = PinsFile(path)

    def fail(_: Path, __: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("tui.app.pins.read_regular", fail)
        with pytest.raises(StorageError, match="Input/output error"):
            file.read()
        with pytest.raises(StorageError, match="Input/output error"):
            file.save(TWEETS[4:5], 1)
    file.save(TWEETS[4:], 2)
    assert PinsFile(path).read() == (*TWEETS[:3], *TWEETS[4:])


def test_two_screens_of_a_run_keep_each_others_pins_and_remove_what_either_unpins(tmp_path: Path) -> None:
    path = tmp_path / "pins.jsonl"
    PinsFile(path).save(TWEETS[:2], 1)
    one, other = PinsFile(path), PinsFile(path)
    assert one.read() == other.read() == TWEETS[:2]
    one.save(TWEETS[:3], 1)
    other.save((TWEETS[1], TWEETS[4]), 1)  # the first unpinned
    assert PinsFile(path).read() == (TWEETS[1], TWEETS[2], TWEETS[4])
    one.save(TWEETS[:1], 2)
    other.save((TWEETS[1], TWEETS[4], TWEETS[5]), 2)
    assert PinsFile(path).read() == TWEETS[4:]
