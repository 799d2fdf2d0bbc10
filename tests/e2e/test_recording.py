"""The recorder of the animation: it records what the program draws, and ends it in any case."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import recording
from tests.cli.program import processes_in
from tests.e2e.conftest import SCRIPTED
from tests.recording import record
from tests.waiting import wait_until
from tui.recording.frames import Frame

SIZE = {"columns": 80, "rows": 24}


def text_of(frame: Frame) -> str:
    return "\n".join("".join(text for text, _ in line) for line in frame)


def test_a_recording_ends_with_the_screen_that_was_waited_for_and_the_program_with_it(home: Path) -> None:
    frames = record(home, until=lambda text: "hello ñ there" in text, program=SCRIPTED, **SIZE)
    assert [each.seconds for each in frames] == sorted(each.seconds for each in frames)
    assert "hello ñ there" in text_of(frames[-1].frame)
    assert (len(frames[-1].frame), len(frames[-1].frame[0])) == (24, 80)
    assert not processes_in(home)


def test_at_the_deadline_the_program_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "DEADLINE_SECONDS", 0.5)
    with pytest.raises(TimeoutError, match="on the screen at the deadline"):
        record(home, until=lambda _: False, program=SCRIPTED, **SIZE)
    wait_until(lambda: not processes_in(home), "its end")
