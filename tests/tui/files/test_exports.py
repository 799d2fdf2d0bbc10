"""Exports: each step and evaluation of a run once, tweets one per line, and casts that replay as the screens; pins."""

from __future__ import annotations

import contextlib
import errno
import json
from pathlib import Path

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.errors import StorageError
from engine.export import tweets as tweet_export
from engine.export.run_export import Thinned, to_csv
from engine.export.tensorboard_export import export_to_tensorboard
from engine.protocol import codec
from engine.protocol import events as e
from engine.storage.folders import RunFolder
from engine.storage.journal import Journal, SkippedLines
from engine.text import sanitize
from tests.event_files import LOSS, VAL_LOSS, read_run, scalars_in
from tests.fakes import checkpoint_loaded, eval_finished, run_started, steps_finished, steps_thinned, tweet_sampled
from tests.strategies import hostile_text
from tui.app.pins import PinsFile, merged
from tui.app.recorder import to_cast

RUNS: dict[str, list[e.Event]] = {
    "buckets, steps and an evaluation": [
        steps_thinned(1, 64),
        steps_thinned(65, 100),
        tweet_sampled("hi", 100),
        steps_finished(101, [1.25, 1.5], grad_norms=(0.5, 0.75), learning_rates=(0.002, 0.001), elapsed_seconds=8.0),
        eval_finished(102, 2.5),
    ],
    "a resume and loads that take steps back": [
        steps_finished(1, [1.0] * 10),
        eval_finished(10, 2.5),
        run_started(step=8, resumed_from="tiny/latest"),
        steps_finished(9, [2.0] * 12),
        checkpoint_loaded(4, "x"),
        steps_finished(5, [3.0] * 2),
        checkpoint_loaded(6, "x"),
        steps_finished(7, [4.0]),
    ],
    "a new run from a checkpoint, which takes nothing back": [
        steps_finished(1, [1.0]),
        run_started(step=0),
        steps_finished(2, [2.0]),
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "tiny")
    folder.path.mkdir(parents=True)
    return folder


def write_journal(run: RunFolder, *events: e.Event) -> None:
    run.journal_path.write_text("".join(codec.encode(event) + "\n" for event in events), encoding="utf-8")


@pytest.mark.parametrize("name", RUNS)
def test_the_table_has_what_was_not_taken_back(run: RunFolder, name: str, snapshot: SnapshotAssertion) -> None:
    write_journal(run, run_started(), *RUNS[name])
    thinned = Thinned()
    table = "".join(to_csv(run.journal_path, thinned, SkippedLines()))
    assert f"{table}\n{thinned}" == snapshot


def export(run: RunFolder, directory: Path, *, force: bool = False) -> str:
    """Export a run; return the sentence about thinned steps."""
    thinned = Thinned()
    export_to_tensorboard(run, directory, thinned, SkippedLines(), may_replace=force)
    return str(thinned)


def test_scalars_have_the_time_of_their_session_and_thinned_steps_count_once(run: RunFolder, tmp_path: Path) -> None:
    write_journal(
        run,
        run_started(started_at=1000.0),
        steps_thinned(1, 64, elapsed_seconds=1.0),
        steps_finished(65, [1.5], elapsed_seconds=5.0),
        run_started(step=65, elapsed_seconds=5.0, resumed_from="tiny/latest", started_at=9000.0),
        steps_finished(66, [1.25], elapsed_seconds=7.0),
        eval_finished(66, 2.0),
    )
    assert export(run, tmp_path) == "Steps 1 to 64 are thinned: 1 buckets of up to 64 steps."
    points = read_run(tmp_path / "tiny").Scalars(LOSS)
    found = sorted((point.step, point.value, point.wall_time) for point in points)
    assert found == [(64, 2.0, 1001.0), (65, 1.5, 1005.0), (66, 1.25, 9002.0)]
    assert dict(scalars_in(tmp_path / "tiny")[VAL_LOSS]) == pytest.approx({66: 1.386})


def test_event_files_are_replaced_where_allowed_and_no_others(run: RunFolder, tmp_path: Path) -> None:
    write_journal(run, run_started(), steps_finished(1, [2.0]))
    export(run, tmp_path)
    [first] = (tmp_path / "tiny").iterdir()
    with pytest.raises(FileExistsError):
        export(run, tmp_path)
    foreign = tmp_path / "tiny" / "events.out.tfevents.1.other"
    foreign.touch()
    write_journal(run, run_started(), steps_finished(1, [3.0]))
    with contextlib.closing(Journal(run.journal_path)):
        with pytest.raises(StorageError, match="may be writing"):
            export(run, tmp_path, force=True)
        export(run, tmp_path / "other")
    assert first.exists()
    export(run, tmp_path, force=True)
    assert not first.exists()
    assert foreign.exists()
    assert scalars_in(tmp_path / "tiny")[LOSS] == [(1, 3.0)]

    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't be written") as caught:
        export(run, tmp_path / "file")
    assert caught.value.hint == "Choose another folder."
    before = sorted((tmp_path / "tiny").iterdir())
    run.journal_path.unlink()
    run.journal_path.mkdir()
    with pytest.raises(StorageError):
        export(run, tmp_path, force=True)
    assert sorted((tmp_path / "tiny").iterdir()) == before


TEXTS = (
    'comma, "quote"',
    "a\nb\r\nc\u2028d\x1b[31m, \"e\" 'f' \x00 =1+1 👩\u200d👧",
    *("=1+1", "+1", "-1", "@SUM(1)", "=cmd|' /C calc'!A0", "a=1", "'=1", "1-1", " =1  + "),
)


@given(st.lists(hostile_text(), max_size=5))
def test_every_format_has_a_line_for_each_tweet(texts: list[str]) -> None:
    tweets = [tweet_sampled(text) for text in texts]
    assert len(tweet_export.to_text(tweets).splitlines()) == len(texts)
    assert len(tweet_export.to_csv(tweets).splitlines()) == len(texts) + 1
    lines = tweet_export.to_jsonl(tweets).split("\n")
    assert [e.from_json(line) for line in lines[:-1]] == [tweet_sampled(sanitize(text)) for text in texts]


def test_only_csv_marks_what_would_be_a_formula_and_a_long_text_is_whole(snapshot: SnapshotAssertion) -> None:
    tweets = [
        tweet_sampled("plain", 100, novelty="near-copy"),
        tweet_sampled("hot", 2000, temperature=1.05),
        *map(tweet_sampled, TEXTS),
    ]
    assert f"{tweet_export.to_csv(tweets)}\n{tweet_export.to_text(tweets)}" == snapshot
    assert tweet_export.to_text([tweet_sampled("long " * 2000)]) == "long " * 2000 + "\n"


COLUMNS, ROWS = 12, 3
SLOT_SECONDS = 0.3
STYLES = ("\x1b[0m", "\x1b[1m", "\x1b[3;4m", "\x1b[7m", "\x1b[38;2;1;2;255m", "\x1b[48;2;9;9;9m", "\x1b[1;38;2;7;7;7m")
WRITES = st.tuples(
    st.sampled_from(STYLES),
    st.integers(1, ROWS),
    st.integers(1, COLUMNS - 2),
    st.sampled_from(["a", "b c", "🌻", "─", " "]),
).map(lambda each: f"\x1b[{each[1]};{each[2]}H{each[0]}{each[3]}")


def cells_of(screen: pyte.Screen) -> list[list[pyte.screens.Char]]:
    return [[screen.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]


@given(st.lists(st.lists(WRITES, max_size=4), min_size=1, max_size=6))
def test_a_cast_draws_what_was_recorded_and_leaves_a_cursor_below_it(written: list[list[str]]) -> None:
    outputs = [(SLOT_SECONDS * number, "".join(each)) for number, each in enumerate(written)]
    header, *events = [json.loads(line) for line in to_cast(outputs, (COLUMNS, ROWS), "a title").splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, COLUMNS, ROWS)
    played, recorded = pyte.Screen(COLUMNS, ROWS + 2), pyte.Screen(COLUMNS, ROWS + 2)
    pyte.Stream(played).feed("".join(text for _, _, text in events))
    pyte.Stream(recorded).feed("".join(text for _, text in outputs))
    assert cells_of(played) == cells_of(recorded)
    assert {round(seconds, 2) for seconds, text in outputs if text} <= {seconds for seconds, _, _ in events}
    cursor = played.cursor
    assert (cursor.hidden, cursor.y, cursor.x, cursor.attrs) == (False, ROWS, 0, played.default_char)


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
