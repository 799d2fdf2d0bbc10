"""A recording of the screen replays as the same screens, as a cast and as an animation."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from itertools import chain

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recording import frame_of
from tui.recording.animation import CELL_HEIGHT, animate
from tui.recording.cast import to_cast
from tui.recording.frames import Frame, TimedFrame, at_even_times

COLUMNS, ROWS = 12, 3
SLOT_SECONDS, HELD_SLOTS = 0.3, 12
SVG = "{http://www.w3.org/2000/svg}"
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


def test_an_animation_is_a_picture_whose_last_screen_shows_without_animation() -> None:
    frames = [screen_after("a <b> & c"), screen_after("a <b> & c\r\none"), screen_after("a <b> & c\r\nto 🌻 you")]
    picture = ET.fromstring(animate(frames, "a <title>", SLOT_SECONDS))  # noqa: S314 - our own text
    assert picture.findtext(f"{SVG}title") == "a <title>"
    groups = picture.find(f"{SVG}g")
    assert groups is not None
    shown = {"".join(group.itertext()): group.get("class") for group in groups}
    assert shown == {"a <b> & c": None, "one": "v d1", "to🌻you": "v d13 last"}


@given(st.lists(st.lists(writes, max_size=4), min_size=1, max_size=6))
def test_an_animation_shows_the_lines_of_each_screen_in_its_slot(outputs: list[list[str]]) -> None:
    frames = [screen_after(*chain.from_iterable(outputs[: number + 1])) for number in range(len(outputs))]
    groups = ET.fromstring(animate(frames, "", SLOT_SECONDS)).find(f"{SVG}g")  # noqa: S314 - our own text
    assert groups is not None
    for number, frame in enumerate(frames):
        shown = [""] * ROWS
        for group in groups:
            if number in slots_of(group, len(frames)):
                shown[line_of(group)] += "".join(group.itertext()).replace(" ", "")
        assert shown == ["".join(data for data, _ in line).replace(" ", "") for line in frame]


def slots_of(group: ET.Element, num_frames: int) -> range:
    """Return the slots of the loop in which CSS shows a group: for its duration, from its delay on."""
    num_slots = num_frames + HELD_SLOTS
    kind = group.get("class")
    if kind is None:
        return range(num_slots)
    delay = float(group.get("style", "").removeprefix("animation-delay:").removesuffix("s"))
    start = round(delay / SLOT_SECONDS) + num_slots
    return range(start, start + int(kind.split()[1].removeprefix("d")))


def line_of(group: ET.Element) -> int:
    y = float(group.get("transform", "").removeprefix("translate(0,").removesuffix(")"))
    return round(y / CELL_HEIGHT)


def test_frames_are_picked_at_even_times_of_the_recording() -> None:
    a, b, c = screen_after("a"), screen_after("b"), screen_after("c")
    recorded = [TimedFrame(10.0, a), TimedFrame(10.4, b), TimedFrame(14.0, c)]
    assert at_even_times(recorded, 3, 0.5) == [TimedFrame(0.0, a), TimedFrame(0.5, b), TimedFrame(1.0, c)]


@pytest.mark.parametrize("output", ["\x1b[7mx", "\x1b[38;2;1;2;3;48;2;4;5;6;7mx"])
def test_swapped_colours_are_recorded_as_they_are_drawn(output: str) -> None:
    style = screen_after(output)[0][0][1]
    assert (style.foreground, style.background) == (("040506", "010203") if "38" in output else ("", ""))
