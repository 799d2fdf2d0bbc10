"""Beside the screen: a recording of it, by its own clock, without files and the machine; title, bell and notice."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol import events as e
from engine.storage.folders import RunFolder
from tests.fakes import run_started, steps_finished
from tests.readme import PICTURES
from tests.recorded_runs import TWEET, run_of, write_run
from tests.tui.conftest import screen_text, wait_until
from tui.app.app import TweetgenApp
from tui.app.main_screen import MainScreen
from tui.app.pins import PinsFile
from tui.app.recorder import SHOWN_SECONDS, Recorder, to_cast
from tui.run.replay import ReplayedRun
from tui.run.view import RunView
from tui.settings.preferences import PreferencesStore

SIZE = (100, 30)
TICK = 0.1


@pytest.fixture(autouse=True)
def _nothing_is_drawn_for_nobody() -> None:
    """Draw, unlike in other tests: what is drawn is recorded."""


def record(path: Path, speed: float = 1.0, size: tuple[int, int] = SIZE) -> list[tuple[float, str]]:
    """Return what a terminal shows after each output of a recording, and when."""
    screen = pyte.Screen(*size)
    stream, frames = pyte.Stream(screen), list[tuple[float, str]]()
    outputs = Recorder(path, speed, 2.0, size, PreferencesStore()).record(lambda _: None)
    assert all(output for _, output in outputs[:-1])
    for seconds, output in outputs:
        stream.feed(output)
        frames.append((seconds, "\n".join(screen.display)))
    return frames


def shown_between(frames: Iterable[tuple[float, str]], text: str) -> tuple[float, float]:
    """Return when a text appeared, and when the next screen without it did."""
    times = [(seconds, text in shown) for seconds, shown in frames]
    start = next(seconds for seconds, is_shown in times if is_shown)
    return start, next(seconds for seconds, is_shown in times if seconds > start and not is_shown)


async def test_tweets_of_a_recording_appear_when_they_were_sampled_and_its_last_screen_is_that_of_the_replay(
    home: Path,
) -> None:
    sizes = ((100, 30), (80, 24), (40, 12))
    path = write_run(home, run_of(12))
    recorded = [await asyncio.to_thread(record, path, 2.0, sizes[0])]
    recorded += [await asyncio.to_thread(record, path, 50.0, size) for size in sizes[1:]]
    frames = recorded[0]
    for seconds in (2, 6, 10):
        appeared = next(at for at, shown in frames if TWEET.format(seconds) in shown)
        assert seconds / 2 <= appeared <= seconds / 2 + 1.0 + TICK  # the feed draws once a second
    assert all(round(at / TICK, 6).is_integer() for at, _ in frames), "they differ at whole ticks"
    assert frames[-1][0] == pytest.approx(6.0 + TICK)
    app = TweetgenApp(ReplayedRun(path, float("inf")), RunView(is_replay=True))
    async with app.run_test() as pilot:
        for size, frames in zip(sizes, recorded, strict=True):
            await pilot.resize_terminal(*size)
            _, expected = frames[-1]
            await wait_until(lambda: screen_text(app) == expected, expected)  # noqa: B023 - awaited at once


def test_a_toast_and_a_dialog_are_removed_after_their_time(home: Path) -> None:
    def run() -> Iterable[e.Event]:
        yield run_started(run="first")
        yield e.Warned(step=0, elapsed_seconds=1.0, kind="disk", message="look here")
        yield e.Warned(step=0, elapsed_seconds=2.5, kind="disk-works", message="and here")
        yield from (steps_finished(number, [2.0], elapsed_seconds=2.0 + number) for number in range(1, 7))
        yield e.Warned(step=6, elapsed_seconds=8.0, kind="outcome", message="learned by heart")
        yield from (steps_finished(number, [2.0], elapsed_seconds=2.0 + number) for number in range(7, 13))

    frames = record(write_run(home, run()), size=(60, 20))
    for text, at in (("look here", 1.0), ("and here", 2.5), ("learned by heart", 8.0)):
        start, end = shown_between(frames, text)
        assert start == pytest.approx(at, abs=2 * TICK)
        assert end - start == pytest.approx(SHOWN_SECONDS, abs=2 * TICK)


def test_a_recording_marks_pinned_tweets_from_the_first_screen_on_shows_no_load_and_changes_no_file(home: Path) -> None:
    path = write_run(home, run_of(4))
    pinned = next(event for event in run_of(4) if isinstance(event, e.TweetSampled))
    rows: dict[bool, set[str]] = {}
    for is_pinned in (False, True):
        before = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
        texts = [shown for _, shown in record(path, 4.0, size=(200, 60))]
        rows[is_pinned] = {line for text in texts for line in text.splitlines() if pinned.text in line}
        assert "device     cpu float32" in texts[-1]
        assert not any(word in texts[-1] for word in ("CPU cores", "of a core", "in this process"))
        assert {file: file.read_bytes() for file in home.rglob("*") if file.is_file()} == before
        PinsFile(RunFolder(path.parent).pins_path).save((pinned,), 1)
    assert rows[False]
    assert rows[True]
    assert rows[False].isdisjoint(rows[True])


def test_a_failure_of_the_screen_is_raised(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_run(home, run_of(3))

    def fail(_: MainScreen) -> None:
        raise ValueError("broken tick")

    monkeypatch.setattr(MainScreen, "tick", fail)
    with pytest.raises(ValueError, match="broken tick"):
        record(path)


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


def test_the_moving_picture_of_the_readme_shows_the_last_screen_of_its_recording_and_its_columns_line_up() -> None:
    header, *lines = (PICTURES / "training.cast").read_text(encoding="utf-8").splitlines()
    size = json.loads(header)
    screen = pyte.Screen(size["width"], size["height"])
    stream = pyte.Stream(screen)
    for line in lines:
        stream.feed(json.loads(line)[2])
    picture = (PICTURES / "training.svg").read_text(encoding="utf-8")
    texts = re.findall(r"<text ([^>]*)>([^<]*)</text>", picture)
    words = set(" ".join(html.unescape(text) for _, text in texts).split())
    assert {word for word in " ".join(screen.display).split() if word.isalpha()} <= words
    assert [text for where, text in texts if not text.isascii() and "textLength" not in where] == []
    assert len(picture.encode()) < 900_000
