"""A cast replays as the recorded screens."""

from __future__ import annotations

import json

import pyte
from hypothesis import given
from hypothesis import strategies as st

from tests.recording import frame_of
from tui.files.cast import Frame, TimedFrame, to_cast

COLUMNS, ROWS = 12, 3
SLOT_SECONDS = 0.3
STYLES = ("\x1b[0m", "\x1b[1m", "\x1b[3;4m", "\x1b[7m", "\x1b[38;2;1;2;255m", "\x1b[48;2;9;9;9m", "\x1b[1;38;2;7;7;7m")


def screen_after(*written: str) -> Frame:
    """Return the screen after some output."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for text in written:
        stream.feed(text)
    return frame_of(screen)


def timed(*frames: Frame) -> list[TimedFrame]:
    return [TimedFrame(SLOT_SECONDS * number, frame) for number, frame in enumerate(frames)]


writes = st.tuples(
    st.sampled_from(STYLES),
    st.integers(1, ROWS),
    st.integers(1, COLUMNS - 2),
    st.sampled_from(["a", "b c", "🌻", "─", " "]),
).map(lambda each: f"\x1b[{each[1]};{each[2]}H{each[0]}{each[3]}")


@given(st.lists(st.lists(writes, max_size=4), min_size=1, max_size=6))
def test_a_cast_replays_as_the_recorded_screens(outputs: list[list[str]]) -> None:
    written: list[str] = []
    frames = []
    for output in outputs:
        written += output
        frames.append(screen_after(*written))
    header, *events = [json.loads(line) for line in to_cast(timed(*frames), "a title").splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, COLUMNS, ROWS)
    by_time = {seconds: text for seconds, kind, text in events if kind == "o"}
    replayed: list[str] = []
    for each in timed(*frames):
        replayed.append(by_time.get(round(each.seconds, 2), ""))
        assert screen_after(*replayed) == each.frame
