"""What goes to the terminal beside the picture: a title now and then, a bell and a notice at the end."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished
from tui.app.notifications import Notifications, title_of
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.settings.preferences import Preferences

NOW: dict[str, Any] = {"step": 20, "elapsed_seconds": 1.0}


def view_after(*events: e.Event, is_replay: bool = False) -> RunView:
    view = RunView(is_replay=is_replay)
    for event in events:
        view = apply(view, event)
    return view


STARTED = run_started(run="first", training=TrainingConfig(max_steps=20))
TRAINING = (STARTED, steps_finished(1, [2.0] * 19), eval_finished(12_300, 2.412))


class Terminal:
    """Keeps what is written."""

    def __init__(self, term: str = "xterm-256color", **chosen: Any) -> None:
        self.preferences = Preferences(**chosen)
        self.written: list[str] = []
        self.notifications = Notifications(self.written.append, lambda: self.preferences, {"TERM": term})


def test_the_title_shows_run_bits_and_step(snapshot: SnapshotAssertion) -> None:
    views = (
        view_after(),
        view_after(*TRAINING),
        view_after(STARTED, steps_finished(1, [0.6931] * 3)),
        view_after(*TRAINING, e.Paused(step=9, elapsed_seconds=1.0)),
        view_after(*TRAINING, e.Paused(**NOW)),
        view_after(STARTED, is_replay=True),
    )
    assert "\n".join(map(title_of, views)) == snapshot


def test_the_previous_title_is_saved_and_restored_once_and_each_title_written_once() -> None:
    terminal = Terminal()
    terminal.notifications.restore_title()
    terminal.notifications.show_title(view_after(STARTED))
    for _ in range(3):
        terminal.notifications.show_title(view_after(*TRAINING))
    terminal.notifications.restore_title()
    terminal.notifications.restore_title()
    assert terminal.written == [
        "\x1b[22;0t\x1b]0;tweetgen-tui · first\x07",
        "\x1b]0;tweetgen-tui · first · 2.41 bits · 12,300 steps\x07",
        "\x1b]0;\x07\x1b[23;0t",
    ]


def test_a_disabled_title_is_not_written_and_the_previous_one_restored() -> None:
    terminal = Terminal(title=False)
    terminal.notifications.show_title(view_after(STARTED))
    assert terminal.written == []
    terminal.preferences = Preferences()
    terminal.notifications.show_title(view_after(STARTED))
    terminal.preferences = Preferences(title=False)
    terminal.notifications.show_title(view_after(*TRAINING))
    assert terminal.written[-1].endswith("\x1b[23;0t")
    assert len(terminal.written) == 2


def test_neither_the_name_of_a_run_nor_a_notification_can_end_its_escape_sequence() -> None:
    view = view_after(run_started(run="a\x07\x1b]9;gotcha\x1b\\b"))
    assert not {"\x07", "\x1b"} & set(title_of(view))
    assert len(title_of(view_after(run_started(run="x" * 5000)))) <= 120
    terminal = Terminal(bell=False)
    terminal.notifications.notify("a\x1b]0;gotcha\x07b")
    (written,) = terminal.written
    assert (written.count("\x1b"), written.count("\x07")) == (1, 1)


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ({}, ["\x1b]9;over\x07", "\x07"]),
        ({"bell": False}, ["\x1b]9;over\x07"]),
        ({"bell": False, "desktop": False}, []),
    ],
)
def test_bell_and_desktop_notification_follow_the_preferences(chosen: dict[str, Any], written: list[str]) -> None:
    terminal = Terminal(**chosen)
    terminal.notifications.notify("over")
    assert terminal.written == written


def test_a_linux_console_gets_the_bell_only() -> None:
    terminal = Terminal(term="linux")
    terminal.notifications.show_title(view_after(STARTED))
    terminal.notifications.notify("over")
    assert terminal.written == ["\x07"]
