"""What goes to the terminal beside the picture: a title now and then, a bell and a notice at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine import events as e
from engine.config import TrainingConfig
from tests.fakes import evaluated, run_started, steps_finished
from tui.notices import Notices, desktop_sequence, ending_of, is_over, title_of
from tui.preferences import Preferences
from tui.run_view import RunView
from tui.state import apply

NOW: dict[str, Any] = {"step": 20, "elapsed_seconds": 1.0}


def view_after(*events: e.Event, is_replay: bool = False) -> RunView:
    view = RunView(is_replay=is_replay)
    for event in events:
        view = apply(view, event)
    return view


STARTED = run_started(run="first", training=TrainingConfig(max_steps=20))
TRAINING = (STARTED, steps_finished(1, [2.0] * 19), evaluated(12_300, 2.412))


class Terminal:
    """Keeps what is written."""

    def __init__(self, term: str = "xterm-256color", **chosen: Any) -> None:
        self.preferences = Preferences(**chosen)
        self.written: list[str] = []
        self.notices = Notices(self.written.append, lambda: self.preferences, {"TERM": term})


@pytest.mark.parametrize(
    ("events", "title"),
    [
        ((), "tweetgen-tui"),
        ((STARTED,), "tweetgen-tui · first"),
        (TRAINING, "tweetgen-tui · first · 2.41 bits · 12,300 steps"),
        ((STARTED, steps_finished(1, [0.6931] * 3)), "tweetgen-tui · first · 1.00 bits · 3 steps"),
        ((*TRAINING, e.Paused(**NOW)), "tweetgen-tui · first · 2.41 bits · 20 steps · paused"),
    ],
)
def test_the_title_tells_run_bits_and_step(events: tuple[e.Event, ...], title: str) -> None:
    assert title_of(view_after(*events)) == title
    assert title_of(view_after(STARTED, is_replay=True)) == "tweetgen-tui · first · replay"


def test_the_title_before_is_kept_once_and_put_back_once_and_each_title_written_once() -> None:
    terminal = Terminal()
    terminal.notices.restore_title()
    terminal.notices.show_title(view_after(STARTED))
    for _ in range(3):
        terminal.notices.show_title(view_after(*TRAINING))
    terminal.notices.restore_title()
    terminal.notices.restore_title()
    assert terminal.written == [
        "\x1b[22;0t\x1b]0;tweetgen-tui · first\x07",
        "\x1b]0;tweetgen-tui · first · 2.41 bits · 12,300 steps\x07",
        "\x1b]0;\x07\x1b[23;0t",
    ]


def test_a_title_that_is_switched_off_is_not_written_and_the_one_before_comes_back() -> None:
    terminal = Terminal(title=False)
    terminal.notices.show_title(view_after(STARTED))
    assert terminal.written == []
    terminal.preferences = Preferences()
    terminal.notices.show_title(view_after(STARTED))
    terminal.preferences = Preferences(title=False)
    terminal.notices.show_title(view_after(*TRAINING))
    assert terminal.written[-1].endswith("\x1b[23;0t")
    assert len(terminal.written) == 2


def test_the_name_of_a_run_cannot_end_the_sequence() -> None:
    view = view_after(run_started(run="a\x07\x1b]9;gotcha\x1b\\b"))
    assert "\x07" not in title_of(view)
    assert "\x1b" not in title_of(view)
    assert len(title_of(view_after(run_started(run="x" * 5000)))) <= 120


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ({}, ["\x1b]9;over\x07", "\x07"]),
        ({"bell": False}, ["\x1b]9;over\x07"]),
        ({"bell": False, "desktop": False}, []),
    ],
)
def test_bell_and_notice_come_as_they_were_chosen(chosen: dict[str, Any], written: list[str]) -> None:
    terminal = Terminal(**chosen)
    terminal.notices.tell("over")
    assert terminal.written == written


def test_a_console_that_knows_no_sequences_gets_the_bell_alone() -> None:
    terminal = Terminal(term="linux")
    terminal.notices.show_title(view_after(STARTED))
    terminal.notices.tell("over")
    assert terminal.written == ["\x07"]


def test_tmux_is_asked_to_hand_the_notice_on() -> None:
    assert desktop_sequence("over", {"TMUX": "/tmp/tmux"}) == "\x1bPtmux;\x1b\x1b]9;over\x07\x1b\\"


def test_the_text_of_a_notice_is_harmless() -> None:
    terminal = Terminal(bell=False)
    terminal.notices.tell("a\x1b]0;gotcha\x07b")
    (written,) = terminal.written
    assert written.count("\x1b") == 1
    assert written.count("\x07") == 1


def test_the_end_is_told_with_what_came_of_it() -> None:
    assert ending_of(view_after(*TRAINING)) == "tweetgen-tui: run first is over at 12,300 steps, best 2.41 bits."
    failed = e.RunFailed(**NOW, title="Training diverged", detail="x", hint="y")
    assert ending_of(view_after(STARTED, failed)) == "tweetgen-tui: run first failed. Training diverged."


def test_a_run_is_over_when_it_has_ended_or_rests_with_its_budget_used_up() -> None:
    steps = steps_finished(1, [2.0] * 20)
    assert not is_over(view_after(STARTED, steps))
    assert is_over(view_after(STARTED, steps, e.Paused(**NOW)))
    assert not is_over(view_after(STARTED, steps_finished(1, [2.0] * 10), e.Paused(**{**NOW, "step": 10})))
    assert not is_over(view_after(run_started(), steps, e.Paused(**NOW)))
    ended = e.RunFinished(**NOW, reason="x", total_seconds=1.0, total_chars=1)
    assert is_over(view_after(STARTED, steps, ended))
    assert not is_over(replace(view_after(STARTED, steps, ended), ended=None, phase="training"))
