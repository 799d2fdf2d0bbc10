"""Recordings of the screen by its own clock, without files and the machine, and casts that replay as the screens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip

from engine.protocol import events as e
from engine.storage.folders import RunFolder
from tests.fakes import run_started, steps_finished
from tests.recorded_runs import TWEET, run_of, write_run
from tests.recording import frame_of
from tests.tui.conftest import screen_text, wait_until
from tui.app.app import TweetgenApp
from tui.app.main_screen import MainScreen
from tui.app.pins import PinsFile
from tui.app.recorder import SHOWN_SECONDS, Frame, FrameReader, Recorder, Style, TimedFrame, to_cast
from tui.run.replay import ReplayedRun
from tui.run.view import RunView
from tui.settings.preferences import PreferencesStore

COLUMNS, ROWS = 12, 3
SLOT_SECONDS = 0.3
STYLES = ("\x1b[0m", "\x1b[1m", "\x1b[3;4m", "\x1b[7m", "\x1b[38;2;1;2;255m", "\x1b[48;2;9;9;9m", "\x1b[1;38;2;7;7;7m")
WRITES = st.tuples(
    st.sampled_from(STYLES),
    st.integers(1, ROWS),
    st.integers(1, COLUMNS - 2),
    st.sampled_from(["a", "b c", "🌻", "─", " "]),
).map(lambda each: f"\x1b[{each[1]};{each[2]}H{each[0]}{each[3]}")


def screen_after(*written: str) -> Frame:
    """Return the screen after some output."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for text in written:
        stream.feed(text)
    return frame_of(screen)


@given(st.lists(st.lists(WRITES, max_size=4), min_size=1, max_size=6))
def test_a_cast_replays_as_the_recorded_screens_and_leaves_a_cursor_below_them(outputs: list[list[str]]) -> None:
    written: list[str] = []
    frames = []
    for number, output in enumerate(outputs):
        written += output
        frames.append(TimedFrame(SLOT_SECONDS * number, screen_after(*written)))
    header, *events = [json.loads(line) for line in to_cast(frames, "a title").splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, COLUMNS, ROWS)
    by_time = {seconds: text for seconds, kind, text in events if kind == "o"}
    replayed: list[str] = []
    for each in frames:
        replayed.append(by_time.get(round(each.seconds, 2), ""))
        assert screen_after(*replayed) == each.frame
    taller = pyte.Screen(COLUMNS, ROWS + 2)
    pyte.Stream(taller).feed("".join(replayed))
    cursor = taller.cursor
    assert (cursor.hidden, cursor.y, cursor.x, cursor.attrs) == (False, ROWS, 0, taller.default_char)


def test_a_grapheme_is_one_cell_with_the_style_as_drawn_a_wide_one_two_and_an_equal_line_the_same_object() -> None:
    styled = RichStyle.parse("bold italic underline #010203 on #a0b0c0")
    swapped = RichStyle.parse("reverse #010203 on #a0b0c0")
    strip = Strip([Segment("é漢👩\u200d🚀e\u0301"), Segment("x", styled), Segment("y", swapped)])
    reader = FrameReader()
    line, _ = first = reader.read([strip, Strip([Segment("b")])])
    assert list(line) == [
        *((text, Style()) for text in ("é", "漢", "", "👩\u200d🚀", "", "e\u0301")),
        ("x", Style("010203", "a0b0c0", is_bold=True, is_italic=True, is_underlined=True)),
        ("y", Style("a0b0c0", "010203")),
    ]
    second = reader.read([strip, Strip([Segment("c")])])
    assert second[0] is first[0]
    assert second[1][0] == ("c", Style())


# Recordings -----------------------------------------------------------------------------------------------------------

SIZE = (100, 30)
TICK = 0.1


def record(path: Path, speed: float = 1.0, size: tuple[int, int] = SIZE) -> list[TimedFrame]:
    return Recorder(path, speed, 2.0, size, PreferencesStore()).record(lambda _: None)


def text_of(frame: Frame) -> str:
    return "\n".join("".join(text for text, _ in line) for line in frame)


def shown_between(frames: Iterable[TimedFrame], text: str) -> tuple[float, float]:
    """Return when a text appeared, and when the next screen without it did."""
    times = [(each.seconds, text in text_of(each.frame)) for each in frames]
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
        appeared = next(each.seconds for each in frames if TWEET.format(seconds) in text_of(each.frame))
        assert seconds / 2 <= appeared <= seconds / 2 + 1.0 + TICK  # the feed draws once a second
    assert all(a.frame != b.frame for a, b in pairwise(frames[:-1]))
    assert all(round(each.seconds / TICK, 6).is_integer() for each in frames), "they differ at whole ticks"
    assert frames[-1].seconds == pytest.approx(6.0 + TICK)
    app = TweetgenApp(ReplayedRun(path, float("inf")), RunView(is_replay=True))
    async with app.run_test() as pilot:
        for size, frames in zip(sizes, recorded, strict=True):
            await pilot.resize_terminal(*size)
            expected = text_of(frames[-1].frame)
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
        texts = [text_of(each.frame) for each in record(path, size=(200, 60))]
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
