"""What goes to the terminal beside the picture: a title now and then, a bell and a notice at the end."""

from __future__ import annotations

from typing import Any

from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished
from tui.app.notifications import Notifications, title_of
from tui.run.folding import fold
from tui.run.view import RunView
from tui.settings.preferences import Preferences

STARTED = run_started(run="first", training=TrainingConfig(max_steps=20))
TRAINING = (STARTED, steps_finished(1, [2.0] * 19), eval_finished(12_300, 2.412))


def view_after(*events: e.Event, is_replay: bool = False) -> RunView:
    return fold(RunView(is_replay=is_replay), events)


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
        view_after(*TRAINING, e.Paused(step=20, elapsed_seconds=1.0)),
        view_after(STARTED, is_replay=True),
    )
    assert "\n".join(map(title_of, views)) == snapshot


def test_the_previous_title_is_saved_and_restored_once_each_title_written_once_and_none_while_titles_are_off() -> None:
    terminal = Terminal()
    terminal.notifications.restore_title()
    terminal.notifications.show_title(view_after(STARTED))
    for _ in range(3):
        terminal.notifications.show_title(view_after(*TRAINING))
    terminal.notifications.restore_title()
    terminal.notifications.restore_title()
    saved, restored = "\x1b[22;0t\x1b]0;tweetgen-tui · first\x07", "\x1b]0;\x07\x1b[23;0t"
    assert terminal.written == [saved, "\x1b]0;tweetgen-tui · first · 2.41 bits · 12,300 steps\x07", restored]
    switched = Terminal(title=False)
    for shows_titles, written in ((False, []), (True, [saved]), (False, [saved, restored])):
        switched.preferences = Preferences(title=shows_titles)
        switched.notifications.show_title(view_after(STARTED))
        assert switched.written == written


def test_neither_the_name_of_a_run_nor_a_notification_can_end_its_escape_sequence() -> None:
    view = view_after(run_started(run="a\x07\x1b]9;gotcha\x1b\\b"))
    assert not {"\x07", "\x1b"} & set(title_of(view))
    assert len(title_of(view_after(run_started(run="x" * 5000)))) <= 120
    terminal = Terminal(bell=False)
    terminal.notifications.notify("a\x1b]0;gotcha\x07b")
    (written,) = terminal.written
    assert (written.count("\x1b"), written.count("\x07")) == (1, 1)


def test_bell_and_desktop_notification_follow_the_preferences_and_a_linux_console_gets_the_bell_only() -> None:
    for terminal, written in (
        (Terminal(), ["\x1b]9;over\x07", "\x07"]),
        (Terminal(bell=False), ["\x1b]9;over\x07"]),
        (Terminal(bell=False, desktop=False), []),
        (Terminal(term="linux"), ["\x07"]),
    ):
        terminal.notifications.notify("over")
        assert terminal.written == written
    console = Terminal(term="linux")
    console.notifications.show_title(view_after(STARTED))
    assert console.written == []
