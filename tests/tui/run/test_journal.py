"""A resumed run starts with the curve of its journal, and a warning about skipped lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.protocol.events import Event, to_json
from tests.fakes import run_started, steps_finished, tweet_sampled
from tui.run.journal import read_history

EVENTS: tuple[Event, ...] = (
    run_started(),
    *(steps_finished(step, [3.0]) for step in range(1, 40)),
    tweet_sampled("hello", 39),
)
WHOLE = "".join(to_json(event) + "\n" for event in EVENTS).encode()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (b"", ""),
        (b'{"event":"Pau', ""),
        (b"\0" * 5000, ""),
        (b"\0" * 5000 + b"\nedited\nby hand\n", "3 lines of the journal can't be read"),
        (b'{"event":"BrainTransplanted","step":1}\n', "written by a newer tweetgen-tui. Events skipped: 1."),
    ],
    ids=["nothing", "torn", "zeros of a power loss", "edited", "newer"],
)
def test_missing_events_are_reported_unless_a_kill_has_torn_the_last_line(
    tmp_path: Path, damage: bytes, expected: str
) -> None:
    (tmp_path / "j").write_bytes(WHOLE + damage)
    view, warning = read_history(tmp_path / "j")
    assert (view.step, len(view.train_losses), view.tweets, view.started) == (39, 39, (EVENTS[-1],), EVENTS[0])
    assert expected in warning
    assert bool(warning) == bool(expected)


def test_overlapping_and_reversed_steps_are_folded_without_an_error(tmp_path: Path) -> None:
    lines = WHOLE.splitlines(keepends=True)
    (tmp_path / "j").write_bytes(b"".join([lines[9], *reversed(lines), *lines[5:20], lines[3], lines[39]]))
    view, warning = read_history(tmp_path / "j")
    assert warning == ""
    assert view.step == 39


def test_without_a_journal_there_is_no_history(tmp_path: Path) -> None:
    assert read_history(tmp_path / "none")[0].started is None
    with pytest.raises(OSError, match="Is a directory"):
        read_history(tmp_path)
